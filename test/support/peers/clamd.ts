/** Debian's clamd on a loopback address of its own, which knows one signature: that of the EICAR test file. Nothing is downloaded. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, ownLoopback, startDaemon } from './run.ts'

export interface Clamd extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** The Unix socket on which it listens too. */
  readonly path: string
  /** Larger messages are refused. */
  readonly streamMax: number
  /** Its whole log so far. */
  log(): Promise<string>
}

/** The file that every virus scanner finds, and that does nothing: https://www.eicar.org/download-anti-malware-testfile/ */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('-')

/** `directory` is an empty one. */
export async function startClamd(directory: string): Promise<Clamd> {
  const host = ownLoopback()
  const port = await freePort(host)
  const at = (name: string) => join(directory, name)
  await mkdir(at('signatures'), { recursive: true })
  // Its SHA-256 and length, as the EICAR organisation and every scanner publish them.
  const hash = '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f'
  await writeFile(at('signatures/own.hsb'), `${hash}:68:Eicar-Test\n`)
  const streamMax = 4 * 1024 ** 2
  const lines = [
    'Foreground yes',
    `TCPAddr ${host}`,
    `TCPSocket ${port}`,
    `LocalSocket ${at('clamd.sock')}`,
    `DatabaseDirectory ${at('signatures')}`,
    `TemporaryDirectory ${directory}`,
    `LogFile ${at('clamd.log')}`,
    `StreamMaxLength ${streamMax}`,
    'MaxThreads 2',
    'SelfCheck 0',
    'LogClean yes',
  ]
  await writeFile(at('clamd.conf'), `${lines.join('\n')}\n`)
  const log = () => readFile(at('clamd.log'), 'utf8').catch(() => '')
  const daemon = await startDaemon('clamd', ['--config-file', at('clamd.conf')], { ready: [{ host, port }], log })
  return { host, port, path: at('clamd.sock'), streamMax, log, [Symbol.asyncDispose]: daemon.stop }
}
