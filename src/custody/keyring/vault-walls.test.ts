import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomId } from '#lib/ids.ts'
import { needs } from '../../../test/support/needs.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { addressOf, keyringBench, PASSWORD, VAULT_UID } from '../../../test/support/vault-keyring.ts'
import { prepareLaunch, spawnVault } from './launch.ts'
import { moduleSources } from './vault-code.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const PROBE = 'test/support/vault-probe.ts'

const fields = async (pid: number, file: string) => (await readFile(`/proc/${pid}/${file}`, 'latin1')).split('\n')

interface Findings {
  readonly environment: readonly string[]
  /** Numbers of the files that it was born with. */
  readonly inherited: readonly number[]
  readonly results: Readonly<Record<string, string>>
}

/** What the probe says of its attempts. */
async function findings(probe: ChildProcess, target: object): Promise<Findings> {
  let said = ''
  probe.stderr?.on('data', (chunk) => {
    said += chunk
  })
  let answer = ''
  const socket = probe.stdio[3] as Socket
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.write(JSON.stringify(target))
  await once(probe, 'close')
  assert.notEqual(answer, '', said)
  return JSON.parse(answer)
}

/** How the walls refuse: Node's permissions and confine.ts; code from text; add-ons; no WebAssembly to be had. */
const REFUSALS: readonly string[] = ['ERR_ACCESS_DENIED', 'EvalError', 'TypeError']

/** An add-on of Node that some package brings, or else any shared object. */
async function someAddOn(): Promise<string> {
  const names = await readdir(join(ROOT, 'node_modules'), { recursive: true }).catch(() => [])
  const addOn = names.find((name) => name.endsWith('.node'))
  return addOn ? join(ROOT, 'node_modules', addOn) : '/lib/ld-linux.so.2'
}

test('from inside the vault nothing can be read, written, started, reached, loaded or made into code', async () => {
  await using folder = await temporaryDirectory('vault', true)
  await chmod(folder.path, 0o777)
  await writeFile(folder.join('file'), 'x')
  await chmod(folder.join('file'), 0o644)
  const abstract = `letterlock-${randomId(8)}`
  const onPort = createHttpServer((_, response) => response.end()).listen(0, '127.0.0.1')
  const onFile = createServer().listen({ path: folder.join('socket'), readableAll: true, writableAll: true })
  const onName = createServer().listen({ path: `\0${abstract}` })
  await Promise.all([onPort, onFile, onName].map((server) => once(server, 'listening')))
  using cleanup = new DisposableStack()
  for (const server of [onPort, onFile, onName]) cleanup.defer(() => server.close())
  cleanup.defer(() => onPort.closeAllConnections())
  const sleeper = spawn('sleep', ['3600'])
  cleanup.defer(() => sleeper.kill('SIGKILL'))
  await once(sleeper, 'spawn')
  const { port } = onPort.address() as AddressInfo
  const places = { folder: folder.path, file: folder.join('file'), socket: folder.join('socket') }
  const target = { port, ...places, abstract, addOn: await someAddOn(), pid: sleeper.pid }
  await using launch = await prepareLaunch({ uid: VAULT_UID, source: ROOT, entry: PROBE })
  const inside = await findings(spawnVault(launch), target)
  assert.deepEqual([sleeper.exitCode, sleeper.signalCode], [null, null], 'what is to be spared is spared')
  assert.deepEqual((await readdir(folder.path)).sort(), ['file', 'socket'])
  const free = spawn(process.execPath, ['--no-warnings', join(ROOT, PROBE), '--free'], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  const outside = await findings(free, target)
  const held = Object.entries(inside.results).filter(([, result]) => !REFUSALS.includes(result))
  assert.deepEqual(held, [], 'a hole')
  const unheld = Object.entries(outside.results).filter(([, result]) => REFUSALS.includes(result))
  assert.deepEqual(unheld, [], 'an attempt that fails anyway shows nothing')
  assert.deepEqual(inside.environment, ['GLIBC_TUNABLES'])
  assert.deepEqual(inside.inherited, [])
})

/** Of Node: all that the vault's code may bring along itself, since confine.ts cannot take it away again. */
const BROUGHT = new Set(
  ['crypto', 'timers/promises', 'util', 'url', 'buffer', 'zlib', 'net', 'dgram', 'dns', 'module', 'vm'].map(
    (name) => `node:${name}`,
  ),
)

test('the code of the vault brings nothing that its walls do not hold', async () => {
  const sources = await moduleSources(join(ROOT, 'src'), 'custody/vault/main.ts')
  assert.ok(sources.size > 20)
  for (const [path, text] of sources) {
    const foreign = [...text.matchAll(/^(?!import type).*\bfrom '([^#.'][^']*)'$/gm)].map(([, name]) => name!)
    assert.deepEqual(
      foreign.filter((name) => !BROUGHT.has(name)),
      [],
      path,
    )
    assert.doesNotMatch(text, /\bimport\(|\brequire\(|^import '/m, `${path}: nothing can be loaded later`)
  }
})

test('the system holds the vault in as well', needs('root', 'unshare', 'setpriv', 'prlimit'), async () => {
  await using bench = await keyringBench()
  const pid = await bench.keyring.vaultPid()
  const status = Object.fromEntries((await fields(pid, 'status')).map((line) => line.split(':\t')))
  assert.equal(status.Uid, Array(4).fill(VAULT_UID).join('\t'))
  assert.equal(status.Gid, Array(4).fill(VAULT_UID).join('\t'))
  assert.equal(status.NoNewPrivs, '1')
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.match(status[set]!, /^0+$/, set)
  const interfaces = (await fields(pid, 'net/dev')).slice(2).map((line) => line.split(':')[0]!.trim())
  assert.deepEqual(
    interfaces.filter((name) => name !== '' && name !== 'lo'),
    [],
    'a network of its own, with nothing in it',
  )
  const limits = (await fields(pid, 'limits')).find((line) => line.startsWith('Max core file size'))
  assert.match(limits!, /size\s+1\s+1\s+bytes/)
  // Neither traced nor read by another user (ptrace(2), "Ptrace access mode checking").
  const look = (uid: number) =>
    spawnSync('setpriv', [
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      'cat',
      `/proc/${pid}/environ`,
      `/proc/${pid}/maps`,
    ])
  assert.equal(look(VAULT_UID).status, 0)
  assert.notEqual(look(VAULT_UID - 1).status, 0)
})

test(
  'where core files are forbidden for good the vault is started with that limit',
  needs('root', 'setpriv', 'prlimit'),
  () => {
    const module = JSON.stringify(join(import.meta.dirname, 'launch.ts'))
    const program = `const { prepareLaunch } = await import(${module})
    await using launch = await prepareLaunch({ uid: ${VAULT_UID} })
    process.stdout.write(launch.args.join(' '))`
    const weaker = ['--bounding-set=-sys_resource', '--inh-caps=-sys_resource', 'prlimit', '--core=0:0', '--']
    const node = [process.execPath, '--no-warnings', '--input-type=module', '--eval', program]
    const { stdout, stderr } = spawnSync('setpriv', [...weaker, ...node], { cwd: ROOT, encoding: 'utf8' })
    assert.match(stdout, /--core=0:0 .*--allow-fs-read/, stderr)
  },
)

test('a vault whose user cannot reach the program is started all the same', needs('root'), async () => {
  await using closed = await temporaryDirectory('closed')
  await using bench = await keyringBench({ vault: { uid: VAULT_UID, cache: closed.join('cache') } })
  await bench.account('a1')
  const pid = await bench.keyring.vaultPid()
  assert.match((await fields(pid, 'cmdline'))[0]!, /^\/proc\/self\/fd\/4\0/)
  const [, stage] = (await fields(pid, 'cmdline'))[0]!.match(/--allow-fs-read=([^\0]+)/)!
  await assert.rejects(readdir(stage!), { code: 'ENOENT' }, 'the copy of the code is gone once it is loaded')
})

test('SIGUSR1 opens no debugger, and signals to the whole group do not end the vault', async () => {
  await using bench = await keyringBench()
  const pid = await bench.keyring.vaultPid()
  for (const signal of ['SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
  await bench.account('a1')
  assert.equal(await bench.keyring.vaultPid(), pid)
  const threads = await Promise.all(
    (await readdir(`/proc/${pid}/task`)).map((task) => readFile(`/proc/${pid}/task/${task}/comm`, 'latin1')),
  )
  assert.ok(!threads.some((name) => /inspect/i.test(name)), threads.join())
})

test('no secret is in the files of the data directory, nor in what the system shows of the vault', async () => {
  await using bench = await keyringBench({ graceMs: 60_000 })
  const { recoveryCode } = await bench.account('a1')
  const next = 'another password'
  await bench.keyring.changePassword('a1', Buffer.from(PASSWORD), Buffer.from(next))
  await bench.keyring.reset('a1', addressOf('a1'), Buffer.from('the third password'), 'curve25519')
  await bench.keyring.relink('a1', { password: Buffer.from('the third password') }, Buffer.from(next))
  const keys = await bench.keyring.unlock('a1', Buffer.from('the third password'))
  assert.ok(keys)
  const canaries = [
    PASSWORD,
    next,
    'the third password',
    recoveryCode.reveal(),
    recoveryCode.reveal().replaceAll('-', ''),
  ]
  const indexKey = Buffer.from(await keys.indexKey())
  const seen: Buffer[] = []
  for (const entry of await readdir(bench.folder.path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) seen.push(await readFile(join(entry.parentPath, entry.name)))
  }
  assert.ok(seen.length >= 8)
  const pid = await bench.keyring.vaultPid()
  for (const name of ['cmdline', 'environ']) seen.push(await readFile(`/proc/${pid}/${name}`))
  for (const octets of seen) {
    const text = octets.toString('latin1')
    for (const canary of canaries) assert.ok(!text.includes(canary))
    assert.ok(!octets.includes(indexKey) && !text.includes(indexKey.toString('base64')))
    for (const [, locked] of text.matchAll(/"locked":"([^"]+)"/g))
      assert.ok(!isSecretKey(Buffer.from(locked!, 'base64')))
  }
})

/** RFC 9580 §4.2, §5.5.3: how the packets of an unlocked key begin: type 5, a length, version 4, and algorithm 22 or 27 behind the time. */
function isSecretKey(octets: Buffer): boolean {
  const [header, length, version] = octets
  const algorithm = octets[7]
  return (
    (header === 0xc5 || header === 0x94) && length! < 192 && version === 4 && (algorithm === 22 || algorithm === 27)
  )
}
