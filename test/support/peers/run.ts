/**
 * Runs foreign programs for tests: one-shot commands with their output captured, and daemons that are stopped by pid. Limits of time are
 * there to end what hangs, with what it said; no program that works comes near them, on whatever machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export interface Ran {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
  /** Both outputs in the order of arrival, for messages of failed tests. */
  readonly output: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly timeoutMs?: number
  /** Makes a non-zero exit status an ordinary result; else it is an error that shows the output. */
  readonly mayFail?: boolean
}

/** Runs a command to its end. Its environment is ours plus `env`, unless `env` says otherwise. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const timeoutMs = options.timeoutMs ?? 120_000
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    output.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk)
    output.push(chunk)
  })
  // A program may end without having read its input.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeoutMs)
  let code: number
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    code = status ?? (signal === null ? 1 : 128)
  } finally {
    clearTimeout(timer)
  }
  const said = Buffer.concat(output).toString()
  if (late) throw new Error(`${command} did not end within ${timeoutMs} ms. It said:\n${said}`)
  if (code !== 0 && !options.mayFail) throw new Error(`${command} ended with status ${code}. It said:\n${said}`)
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), output: said }
}

export interface Daemon extends AsyncDisposable {
  readonly pid: number
  /** What it printed so far. */
  output(): string
  /** Ends it with SIGTERM, and with SIGKILL when that does not help. */
  stop(): Promise<void>
}

export interface DaemonOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Where it must listen before it counts as started. */
  readonly ready: readonly { readonly host: string; readonly port: number }[]
  /** Its log, told when it does not start. */
  readonly log?: () => Promise<string>
}

/** Starts a program that stays in the foreground, in its own process group, and waits until it listens. */
export async function startDaemon(command: string, args: readonly string[], options: DaemonOptions): Promise<Daemon> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output: Buffer[] = []
  const keep = (chunk: Buffer) => {
    output.push(chunk)
    if (output.length > 1000) output.shift()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const daemon = daemonOf(child, output)
  const broken = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${command} ended with status ${code}`)))
  })
  broken.catch(() => {})
  try {
    for (const address of options.ready) await Promise.race([listening(address.host, address.port), broken])
  } catch (error) {
    await daemon.stop()
    throw new Error(`${command} did not start: ${String(error)}\n${daemon.output()}\n${(await options.log?.()) ?? ''}`)
  }
  return daemon
}

function daemonOf(child: ChildProcess, output: Buffer[]): Daemon {
  const gone = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined
  const stop = async () => {
    if (gone()) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => killGroup(child.pid!), 10_000)
    await ended
    clearTimeout(timer)
    // Its own children share its group; none may outlive the test.
    killGroup(child.pid!)
  }
  return {
    pid: child.pid ?? -1,
    output: () => Buffer.concat(output).toString(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All gone.
  }
}

/** Resolves as soon as something accepts connections there. */
async function listening(host: string, port: number, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await accepts(host, port)) return
    if (performance.now() > deadline) throw new Error(`nothing listens on ${host}:${port} after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** A loopback address that no other test uses, so that any port on it is free. */
export function ownLoopback(): string {
  const octet = () => 1 + Math.floor(Math.random() * 254)
  return `127.${octet()}.${octet()}.${octet()}`
}

/** A port that is free on this address at this moment. */
export async function freePort(host: string): Promise<number> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Asks again until the answer is not null; for what foreign programs do in their own time (a mail that arrives). */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
