/**
 * A whole Letterlock for journeys and benchmarks, as an operator has it: made by `letterlock init`, accounts by `letterlock account add`,
 * run by `letterlock serve`, on a loopback address of its own. Only the command line and the ports are used, so what is tested is the
 * product and not its parts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually, ownLoopback, type Ran, type RunOptions, run } from './peers/run.ts'
import { haveEnded, pidsOf } from './processes.ts'

const program = fileURLToPath(new URL('../../bin/letterlock.js', import.meta.url))

export interface ProviderAccount {
  readonly address: string
  readonly password: string
}

export interface ProviderOptions {
  /** The data directory `data` and the log `serve.log` are made in here. */
  readonly directory: string
  readonly domain: string
  readonly accounts?: readonly ProviderAccount[]
  /** Keys of the configuration with their table, values as TOML: `{ 'relay.smarthost': '"127.0.0.1:25"' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

const standardPorts = {
  smtp: 25,
  lmtp: 24,
  submissions: 465,
  submission: 587,
  imaps: 993,
  imap: 143,
  pop3s: 995,
  pop3: 110,
  https: 443,
  admin: 90,
}

export interface Provider extends AsyncDisposable {
  readonly host: string
  readonly ports: Readonly<Record<keyof typeof standardPorts, number>>
  /** Data directory. */
  readonly data: string
  /** PEM file of the development CA. */
  readonly ca: string
  /** PEM file of the server's own certificate. */
  readonly certificate: string
  /** Recovery codes by address, as `account add` showed them. */
  readonly recoveryCodes: ReadonlyMap<string, string>
  /** The process that was started last; its children are the rest of the server. */
  readonly pid: number
  /** `letterlock ARGS --data DIR`; a failed command is an error unless it may fail. */
  command(args: readonly string[], options?: RunOptions): Promise<Ran>
  /** The same with --json, parsed. */
  json<T>(args: readonly string[], options?: RunOptions): Promise<T>
  /** Makes an account while the server runs or not, and remembers its recovery code. */
  addAccount(account: ProviderAccount): Promise<void>
  /** Changes the configuration file; the server reads it when it starts. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>
  start(): Promise<void>
  /** Ends it with SIGTERM and answers its exit status. */
  stop(): Promise<number>
  restart(): Promise<void>
  /** Kills every process of the server at once, with SIGKILL. */
  kill9(): Promise<void>
  /** Everything that it printed, over all its starts. */
  log(): Promise<string>
}

/** An address that `ownLoopback` never gives: whoever listens there has taken the port base of that number. */
const BASES = '127.255.255.254'

/** The server that listens, or null when the port is taken. */
function listenerOn(port: number, host: string): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('listening', () => resolve(server))
    server.once('error', () => resolve(null))
    server.listen(port, host)
  })
}

/**
 * Any base works on an address of one's own, but the admin listener is on 127.0.0.1 for every provider. Other test processes look for
 * bases at the same time, and a provider does not listen before it is started and while it restarts: so this one is held to our end.
 */
async function takePortBase(): Promise<number> {
  for (;;) {
    const base = 2000 + Math.floor(Math.random() * 28_000)
    const hold = await listenerOn(base, BASES)
    if (hold === null) continue
    hold.unref()
    const probe = await listenerOn(base + standardPorts.admin, '127.0.0.1')
    if (probe === null) continue
    probe.close()
    await once(probe, 'close')
    return base
  }
}

/** Puts each key into its table, replacing one that is there. */
function withSettings(toml: string, settings: Readonly<Record<string, string>>): string {
  const lines = toml.split('\n')
  for (const [path, value] of Object.entries(settings)) {
    const dot = path.lastIndexOf('.')
    const [table, key] = [path.slice(0, Math.max(dot, 0)), path.slice(dot + 1)]
    let start = table === '' ? 0 : lines.indexOf(`[${table}]`) + 1
    if (table !== '' && start === 0) start = lines.push(`[${table}]`)
    const next = lines.findIndex((line, index) => index >= start && line.startsWith('['))
    const end = next === -1 ? lines.length : next
    const old = lines.findIndex((line, index) => index >= start && index < end && line.startsWith(`${key} =`))
    lines.splice(old === -1 ? start : old, old === -1 ? 0 : 1, `${key} = ${value}`)
  }
  return lines.join('\n')
}

/** Makes a provider without starting it. */
export async function makeProvider(options: ProviderOptions): Promise<Provider> {
  await mkdir(options.directory, { recursive: true })
  const host = ownLoopback()
  const base = await takePortBase()
  const data = join(options.directory, 'data')
  const logFile = join(options.directory, 'serve.log')
  const configFile = join(data, 'letterlock.toml')
  const recoveryCodes = new Map<string, string>()
  let server: ChildProcess | null = null

  const command: Provider['command'] = (args, ranWith) =>
    run(process.execPath, [program, ...args, '--data', data], { timeoutMs: 180_000, ...ranWith })
  const json: Provider['json'] = async (args, ranWith) =>
    JSON.parse((await command([...args, '--json'], ranWith)).stdout.toString())

  const running = () => server !== null && server.exitCode === null && server.signalCode === null
  const start = async () => {
    if (running()) throw new Error('the provider runs already')
    const log = openSync(logFile, 'a')
    const said = (await readFile(logFile)).length
    // A process group of its own, so that all of it can be killed at once.
    server = spawn(process.execPath, [program, 'serve', '--data', data], {
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    await eventually('letterlock serve is ready', async () => {
      const text = (await readFile(logFile)).subarray(said).toString()
      if (!running()) throw new Error(`letterlock serve ended with status ${server?.exitCode}:\n${text}`)
      return text.includes('letterlock: ready')
    })
  }
  const stop = async () => {
    if (!running()) return server?.exitCode ?? 0
    const ended = once(server!, 'exit')
    server!.kill('SIGTERM')
    const late = setTimeout(() => killAll(server!.pid!), 120_000)
    const [code] = await ended
    clearTimeout(late)
    return (code as number | null) ?? 128
  }
  const provider: Provider = {
    host,
    ports: Object.fromEntries(
      Object.entries(standardPorts).map(([name, port]) => [
        name,
        Number(options.settings?.[`ports.${name}`] ?? base + port),
      ]),
    ) as unknown as Provider['ports'],
    data,
    ca: join(data, 'tls/ca.crt'),
    certificate: join(data, 'tls/server.crt'),
    recoveryCodes,
    get pid() {
      return server?.pid ?? -1
    },
    command,
    json,
    addAccount: async ({ address, password }) => {
      const added = await json<{ recoveryCode: string }>(['account', 'add', address, '--password-stdin'], {
        input: `${password}\n`,
      })
      recoveryCodes.set(address, added.recoveryCode)
    },
    configure: async (settings) => {
      await writeFile(configFile, withSettings(await readFile(configFile, 'utf8'), settings))
    },
    start,
    stop,
    restart: async () => {
      await stop()
      await start()
    },
    kill9: async () => {
      if (!running()) return
      const ended = once(server!, 'exit')
      const pids = killAll(server!.pid!)
      await ended
      // Until then they have files open, and locks.
      await eventually('all of its processes have ended', async () => haveEnded(pids))
    },
    log: () => readFile(logFile, 'utf8').catch(() => ''),
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
  await command(['init', '--domain', options.domain, '--bind', host, '--port-base', String(base)])
  if (options.settings !== undefined) await provider.configure(options.settings)
  for (const account of options.accounts ?? []) await provider.addAccount(account)
  return provider
}

/** Makes a provider and starts it. */
export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const provider = await makeProvider(options)
  await provider.start()
  return provider
}

/** Answers which ones it killed. */
function killAll(root: number): readonly number[] {
  // The list first: children of a dead process are nobody's.
  const pids = pidsOf([root])
  for (const pid of [-root, ...pids]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
  return pids
}
