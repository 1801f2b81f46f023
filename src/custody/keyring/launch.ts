/**
 * How the vault process is started, and what holds it in. The system's own means where they are to be had, Node's besides:
 *
 *   uid and gid of its own       as root only; no other user's process can then trace it or read its memory
 *   no privileges, ever          no capabilities, no_new_privs: nothing that it could start would have more
 *   no network                   an empty network namespace, as root or where users may make namespaces; custody/vault/confine.ts
 *                                closes it from inside in any case
 *   no core file                 RLIMIT_CORE 1: no file is that small, and unlike 0 it also stops the kernel from handing a dump
 *                                to a program (core(5), "Piping core dumps to a program")
 *   nothing written              RLIMIT_FSIZE 0: no file grows, whatever gets past Node's permissions
 *   no files but its own code    --permission --allow-fs-read; it has no write, child, worker, add-on or inspector right either
 *   no new code                  --jitless, --disallow-code-generation-from-strings, --no-addons
 *   no debugger                  --disable-sigusr1
 *   nothing left in memory       freed memory is filled, keys that are let go are collected at once (custody/vault/collect.ts)
 *   no environment, no argument  that says anything of anybody
 *
 * `setpriv`, `unshare` and `prlimit` are of util-linux, which every Debian has. Frozen intrinsics are left out: the flag costs
 * 5 MB and is experimental, and the vault has no plug-ins to be kept from them.
 */
import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process'
import { chmod, type FileHandle, mkdtemp, open, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeVersion, entryOf, exists, moduleSources } from './vault-code.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const CACHE = join(ROOT, 'node_modules', '.cache', 'letterlock')
const VAULT_ENTRY = 'custody/vault/main.ts'

export interface VaultPlacement {
  /** User and group id of the vault where the server runs as root. */
  readonly uid: number
  /** Where stripped code is kept from one start to the next; the program's own cache folder. */
  readonly cache?: string
  /** The folder with all sources, and the program in it: other ones in tests of the walls. */
  readonly source?: string
  readonly entry?: string
}

export interface Launch extends AsyncDisposable {
  readonly command: string
  readonly args: readonly string[]
  /** The Node program, opened for a vault whose user cannot reach it by name. */
  readonly node: FileHandle | null
  readonly confinement: { readonly uid: number; readonly network: 'none' | 'closed from inside' }
}

/** Where the vault has `node`: after the three standard streams and the socket. */
const NODE_FD = 4

/** glibc fills what is freed, at once (mallopt(3), M_PERTURB): node:crypto leaves copies of what it decrypts in freed memory. */
const ENVIRONMENT = { GLIBC_TUNABLES: 'glibc.malloc.perturb=165:glibc.malloc.tcache_count=0' }

const FLAGS = [
  '--permission',
  '--jitless',
  // the young generation of its heap, in megabytes
  '--max-semi-space-size=1',
  '--expose-gc',
  '--no-addons',
  '--disallow-code-generation-from-strings',
  '--disable-sigusr1',
  '--disable-proto=delete',
  '--no-deprecation',
  '--no-warnings',
]

function runs(command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(command, args, { env: {}, timeout: 10_000 }, (error) => resolve(error === null))
  })
}

/** The words before the program that give up what the vault must not have. */
async function dropping(uid: number): Promise<{ words: string[]; confinement: Launch['confinement'] }> {
  const isRoot = process.getuid?.() === 0
  const ids = isRoot ? [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all'] : []
  // Where the limit is 0 already, as systemd's LimitCORE=0 sets it, it cannot be raised to 1.
  const core = (await runs('prlimit', ['--core=1:1', '--', 'true'])) ? '--core=1:1' : '--core=0:0'
  const limits = ['prlimit', core, '--fsize=0:0', '--', 'setpriv', ...ids, '--no-new-privs', '--inh-caps=-all', '--']
  const unshare = ['unshare', ...(isRoot ? [] : ['--user', '--map-current-user']), '--net', '--']
  const isolated = await runs(unshare[0]!, [...unshare.slice(1), ...limits, 'true'])
  return {
    words: isolated ? [...unshare, ...limits] : limits,
    confinement: {
      uid: isRoot ? uid : (process.getuid?.() ?? uid),
      network: isolated ? 'none' : 'closed from inside',
    },
  }
}

/** Starts what was prepared; the socket is its stdio[3]. */
export function spawnVault({ command, args, node }: Launch): ChildProcess {
  const inherited: StdioOptions = ['ignore', 'ignore', 'pipe', 'pipe']
  return spawn(command, args, { env: ENVIRONMENT, cwd: '/', stdio: node ? [...inherited, node.fd] : inherited })
}

/** Strips the vault's code into `target` in a process of its own. */
function strip(source: string, entry: string, target: string): Promise<void> {
  const program = join(import.meta.dirname, 'strip-vault.ts')
  const args = ['--disable-warning=ExperimentalWarning', program, source, entry, target]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env: {} }, (error, _out, words) =>
      error
        ? reject(new Error(`the vault's code cannot be written to ${target}: ${words.trim().slice(0, 500)}`))
        : resolve(),
    )
  })
}

/** Makes everything ready to start the vault; dispose it when it has started. Throws when the system cannot hold it in. */
export async function prepareLaunch(placement: VaultPlacement): Promise<Launch> {
  const { uid, cache = CACHE, source = join(ROOT, 'src'), entry = VAULT_ENTRY } = placement
  const { words, confinement } = await dropping(uid)
  const [first, ...rest] = words
  const version = codeVersion(await moduleSources(source, entry))
  const kept = join(cache, `vault-${version}`)
  const isKept =
    (await exists(kept)) ||
    (await strip(source, entry, kept).then(
      () => true,
      () => false,
    ))
  // Permissions are for paths without links in them.
  const code = isKept ? await realpath(kept) : kept
  // The vault's own user must reach its code and the Node program.
  const reachable = ['sh', '-c', 'test -r "$0" && test -x "$1"', entryOf(code, entry), process.execPath]
  if (isKept && (await runs(first!, [...rest, ...reachable]))) {
    const args = [...rest, process.execPath, ...FLAGS, `--allow-fs-read=${code}/`, entryOf(code, entry)]
    return { command: first!, args, node: null, confinement, [Symbol.asyncDispose]: async () => {} }
  }
  return stagedLaunch(words, { source, entry }, confinement)
}

/** Where the program's folder is closed to the vault's user: a copy of the code until it is loaded, and Node by its open file. */
async function stagedLaunch(
  words: readonly string[],
  { source, entry }: { source: string; entry: string },
  confinement: Launch['confinement'],
): Promise<Launch> {
  const [first, ...rest] = words
  const stage = await realpath(await mkdtemp(join(tmpdir(), 'letterlock-vault-')))
  const code = join(stage, 'code')
  const release = () => rm(stage, { recursive: true, force: true })
  try {
    await chmod(stage, 0o755)
    await strip(source, entry, code)
    const node = await open(process.execPath, 'r')
    const args = [...rest, `/proc/self/fd/${NODE_FD}`, ...FLAGS, `--allow-fs-read=${code}/`, entryOf(code, entry)]
    return {
      command: first!,
      args,
      node,
      confinement,
      async [Symbol.asyncDispose]() {
        await node.close()
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}
