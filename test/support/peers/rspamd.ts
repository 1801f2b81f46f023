/**
 * Debian's rspamd on a loopback address of its own, with one scanning worker and nothing else: no modules, no DNS, no learning. What is
 * left is what it does by itself, above all GTUBE.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, ownLoopback, startDaemon } from './run.ts'

export interface Rspamd extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** The Unix socket on which it listens too. */
  readonly path: string
  /** Its whole log so far. */
  log(): string
}

/** Mail with this in it is rejected by every anti-spam program: https://spamassassin.apache.org/gtube/ */
export const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE', 'STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'].join('-')

/** `directory` is an empty one. */
export async function startRspamd(directory: string): Promise<Rspamd> {
  const host = ownLoopback()
  const port = await freePort(host)
  const at = (name: string) => join(directory, name)
  await mkdir(at('modules'), { recursive: true })
  // The list that Debian installs takes twenty seconds to be compiled.
  await writeFile(at('tlds'), 'com\ntest\n')
  await writeFile(at('rules.lua'), '')
  await writeFile(
    at('rspamd.conf'),
    `
options {
  filters = "";
  dns { nameserver = ["${host}:1"]; timeout = 0.1; retransmits = 1; }
  url_tld = "${at('tlds')}";
  tempdir = "${directory}";
  control_socket = "${at('control.sock')}";
  history_file = "${at('history')}";
  cache_file = "${at('symbols.cache')}";
  hs_cache_dir = "${directory}/";
  stats_file = "${at('stats.ucl')}";
  explicit_modules = [];
}
logging { type = "console"; level = "info"; color = false; }
worker "normal" {
  bind_socket = "${host}:${port}";
  bind_socket = "${at('scan.sock')} mode=0666";
  count = 1;
}
actions { reject = 15; add_header = 6; greylist = 4; }
modules { path = "${at('modules')}"; }
lua = "${at('rules.lua')}";
`,
  )
  const variables = ['DBDIR', 'RUNDIR', 'LOGDIR'].map((name) => `--var=${name}=${directory}`)
  const daemon = await startDaemon('rspamd', ['-f', '-i', '-c', at('rspamd.conf'), ...variables], {
    ready: [{ host, port }],
  })
  return { host, port, path: at('scan.sock'), log: daemon.output, [Symbol.asyncDispose]: daemon.stop }
}
