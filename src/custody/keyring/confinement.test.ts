/** The vault from outside: who may look into it, stop it, or find it on the disk when it dies. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { needs } from '../../../test/support/needs.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/support/temporary.ts'
import { VAULT_UID } from '../../../test/support/vault-keyring.ts'
import { record } from '../vault/protocol/codec.ts'
import { encodeFrame } from '../vault/protocol/frames.ts'
import { type Launch, prepareLaunch } from './launch.ts'

describe('the vault from outside', needs('root', 'setpriv', 'prlimit'), () => {
  let folder: TemporaryDirectory
  let launch: Launch

  before(async () => {
    folder = await temporaryDirectory('confinement', true)
    await chmod(folder.path, 0o777)
    launch = await prepareLaunch({ uid: VAULT_UID })
  })

  after(async () => {
    await launch?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  /** A vault that answers, and whose core file would be found in the folder. */
  async function startVault(): Promise<ChildProcess> {
    const vault = spawn(launch.command, launch.args, {
      env: {},
      cwd: folder.path,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(launch.node ? [launch.node.fd] : [])],
    })
    const socket = vault.stdio[3] as Socket
    // No operation has this number.
    socket.write(encodeFrame(0, 255, record({}), {}))
    await once(socket, 'data')
    return vault
  }

  const as = (uid: number, ...command: string[]) =>
    spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', ...command], { cwd: '/' })

  test('another user can neither read it nor signal it', async () => {
    const vault = await startVault()
    const places = ['mem', 'environ', 'maps', 'auxv', 'io', 'syscall', 'stack', 'pagemap', 'fd/3', 'cwd', 'root', 'exe']
    const reading = (place: string) => ['head', '-c1', `/proc/${vault.pid}/${place}`]
    const readers = places.filter((place) => as(VAULT_UID - 1, ...reading(place)).status === 0)
    assert.deepEqual(readers, [])
    assert.equal(as(VAULT_UID, ...reading('auxv')).status, 0, 'its own user can: nobody else may have that id')
    for (const signal of ['USR1', 'STOP', 'KILL']) {
      assert.notEqual(as(VAULT_UID - 1, 'kill', `-${signal}`, String(vault.pid)).status, 0, signal)
    }
    assert.deepEqual([vault.exitCode, vault.signalCode], [null, null])
    // The other way round: it is nobody who could harm the server.
    const own = ['head', '-c1', `/proc/${process.pid}/environ`]
    assert.notEqual(as(VAULT_UID, ...own).status, 0)
    assert.notEqual(as(VAULT_UID, 'kill', '-0', String(process.pid)).status, 0)
    vault.kill('SIGKILL')
    await once(vault, 'close')
  })

  test('however it dies, no core file is left', async () => {
    for (const signal of ['SIGQUIT', 'SIGSEGV', 'SIGABRT'] as const) {
      const vault = await startVault()
      vault.kill(signal)
      const [, died] = await once(vault, 'close')
      assert.equal(died, signal)
      assert.deepEqual(await readdir(folder.path), [], signal)
    }
    // The system leaves one of others here, unless it is told to put them elsewhere (core(5)).
    const pattern = await readFile('/proc/sys/kernel/core_pattern', 'latin1')
    if (/[|/]/.test(pattern)) return
    spawnSync('sh', ['-c', 'ulimit -c unlimited; kill -SEGV $$'], { cwd: folder.path })
    assert.equal((await readdir(folder.path)).length, 1)
  })

  test('no file grows by it, whatever gets past the permissions of Node', async () => {
    const dropping = launch.args.slice(0, launch.args.indexOf(process.execPath))
    assert.ok(dropping.length > 0)
    const write = (name: string, words: readonly string[]) => {
      const [command, ...args] = [...words, 'sh', '-c', 'echo x > "$0"', folder.join(name)]
      return spawnSync(command!, args)
    }
    write('held', [launch.command, ...dropping])
    write('free', [])
    assert.equal((await stat(folder.join('held'))).size, 0)
    assert.equal((await stat(folder.join('free'))).size, 2)
  })
})
