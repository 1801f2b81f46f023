/** The vault process seen from the keyring: started when it is needed, asked over its socket, missed when it ends. */
import type { ChildProcess } from 'node:child_process'
import { Socket, type SocketConstructorOpts } from 'node:net'
import { asBuffer, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Codec } from '../vault/protocol/codec.ts'
import { decodeContent, encodeFrame, type Frame, FrameSplitter, Status } from '../vault/protocol/frames.ts'
import {
  type AnswerOf,
  type OperationName,
  operations,
  type RefusalReason,
  type RequestOf,
  refusal,
} from '../vault/protocol/protocol.ts'
import { VaultGone } from './keyring.ts'
import { type Launch, prepareLaunch, spawnVault, type VaultPlacement } from './launch.ts'

/** The vault's word for why it did not do what it was asked. */
export class VaultRefusal extends Error {
  override readonly name = 'VaultRefusal'
  readonly why: RefusalReason
  constructor(why: RefusalReason) {
    super(`the vault refused: ${why}`)
    this.why = why
  }
}

export interface VaultOptions {
  readonly placement: VaultPlacement
  readonly configuration: RequestOf<'configure'>
  readonly clock: Clock
  readonly logger: Logger
  /** The process ended without being asked to; every handle on it is void. */
  readonly onGone: () => void
}

interface Pending {
  resolve(frame: Frame): void
  reject(error: Error): void
}

/** The only words of the vault that are passed on: it has said them before it was given anything, or they are fixed. */
const STDERR_MAX = 4096
const FIXED_LINE = /^vault: [a-z ]{1,40}$/
const STOP_MS = 2_000
const RETRY_MS = 1_000

const READ_OCTETS = 64 * 1024

/**
 * The same socket, reading into one buffer of ours. Node's reads leave copies of what came in memory that is freed, and what
 * comes from the vault is session keys and index keys. A child's sockets cannot be made this way, so the handle changes hands.
 */
function withOneBuffer(given: Socket, take: (chunk: Buffer) => void): Socket {
  const handle: unknown = Reflect.get(given, '_handle')
  if (!handle) return given
  Reflect.set(given, '_handle', null)
  given.destroy()
  const onread = {
    buffer: Buffer.alloc(READ_OCTETS),
    callback(length: number, buffer: Uint8Array<ArrayBuffer>) {
      take(asBuffer(buffer).subarray(0, length))
      return true
    },
  }
  const options: SocketConstructorOpts = { onread }
  return new Socket(Object.assign(options, { handle })).resume()
}

/** One life of the process. */
class Running {
  readonly child: ChildProcess
  readonly gone: Promise<void>
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  #nextId = 0
  #words = ''

  constructor(launch: Launch) {
    this.child = spawnVault(launch)
    const splitter = new FrameSplitter((frame) => this.#settle(frame))
    this.#socket = withOneBuffer(this.child.stdio[3] as Socket, (chunk) => {
      try {
        splitter.push(chunk)
      } catch {
        this.child.kill('SIGKILL')
      }
      wipe(chunk)
    })
    this.#socket.on('error', () => {})
    this.child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#words.length < STDERR_MAX) this.#words += chunk.toString('latin1')
    })
    this.gone = new Promise((resolve) => {
      this.child.once('error', (error) => this.#end(error.message, resolve))
      this.child.once('close', () => this.#end('the vault process ended', resolve))
    })
  }

  /** What the process wrote before it ended. */
  words(isTrusted: boolean): string {
    const lines = this.#words.split('\n').filter((line) => line !== '')
    return lines.filter((line) => isTrusted || FIXED_LINE.test(line)).join(' | ')
  }

  #end(why: string, done: () => void): void {
    this.#socket.destroy()
    for (const { reject } of this.#pending.values()) reject(new VaultGone(why))
    this.#pending.clear()
    done()
  }

  #settle(frame: Frame): void {
    const waiting = this.#pending.get(frame.id)
    this.#pending.delete(frame.id)
    waiting?.resolve(frame)
  }

  async call<N extends OperationName>(name: N, request: RequestOf<N>): Promise<AnswerOf<N>> {
    const { code, request: shape, answer } = operations[name]
    const id = this.#nextId
    this.#nextId = (id + 1) >>> 0
    const encoded = encodeFrame(id, code, shape as Codec<unknown>, request)
    const frame = await new Promise<Frame>((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new VaultGone('the vault process ended'))
      this.#pending.set(id, { resolve, reject })
      this.#socket.write(encoded, () => wipe(encoded))
    })
    if (frame.kind !== Status.answer) throw new VaultRefusal(decodeContent(frame.content, refusal).why)
    return decodeContent(frame.content, answer as Codec<unknown>) as AnswerOf<N>
  }

  /** Closes the socket, which ends the process; kills it when it does not. */
  async stop(clock: Clock): Promise<void> {
    using _kill = clock.after(STOP_MS, () => this.child.kill('SIGKILL'))
    this.#socket.end()
    await this.gone
  }
}

export class VaultProcess implements AsyncDisposable {
  readonly #options: VaultOptions
  #starting: Promise<Running> | null = null
  #failure: { readonly at: number; readonly error: unknown } | null = null
  #isClosed = false

  constructor(options: VaultOptions) {
    this.#options = options
  }

  /** Starts the process when it does not run. Throws VaultGone with what it said. */
  start(): Promise<Running> {
    if (this.#isClosed) return Promise.reject(new VaultGone('the keyring is closed'))
    const now = this.#options.clock.now()
    // A vault that cannot start is not tried anew for every login.
    if (this.#failure && now - this.#failure.at < RETRY_MS) return Promise.reject(this.#failure.error)
    this.#starting ??= this.#launch().catch((error: unknown) => {
      this.#starting = null
      this.#failure = { at: now, error }
      throw error
    })
    return this.#starting
  }

  /** Throws VaultRefusal, and VaultGone when the process ends before it has answered. */
  async call<N extends OperationName>(name: N, request: RequestOf<N>): Promise<AnswerOf<N>> {
    return (await this.start()).call(name, request)
  }

  async #launch(): Promise<Running> {
    const { placement, configuration, logger } = this.#options
    await using launch = await prepareLaunch(placement)
    const running = new Running(launch)
    try {
      await running.call('configure', configuration)
    } catch (error) {
      running.child.kill('SIGKILL')
      await running.gone
      throw new VaultGone(`the vault does not start: ${running.words(true) || (error as Error).message}`)
    }
    logger.info({ pid: running.child.pid, ...launch.confinement }, 'vault started')
    void running.gone.then(() => this.#onGone(running))
    return running
  }

  #onGone(running: Running): void {
    this.#starting = null
    if (this.#isClosed) return
    const { exitCode, signalCode } = running.child
    this.#options.logger.error({ exitCode, signalCode, said: running.words(false) }, 'vault ended')
    this.#options.onGone()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const running = await this.#starting?.catch(() => null)
    await running?.stop(this.#options.clock)
  }
}
