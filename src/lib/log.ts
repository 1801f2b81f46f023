/**
 * Structured logs. What may not be printed is decided by type, not by field name: a Secret prints as "[secret]"; bytes
 * print as their length; an address prints its domain only, unless the operator asked for whole addresses. Message
 * content is never handed to a logger. Fields are flat; `msg` is a fixed sentence, so that lines can be counted.
 */
import pino from 'pino'
import { Secret } from './secret.ts'

type Field = string | number | boolean | null | undefined | bigint | Secret<unknown> | Uint8Array | Error | object
export type Fields = Readonly<Record<string, Field>>

export interface Logger {
  debug(fields: Fields, msg: string): void
  info(fields: Fields, msg: string): void
  warn(fields: Fields, msg: string): void
  error(fields: Fields, msg: string): void
  /** A logger that adds these fields to every line. */
  with(fields: Fields): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** Print whole addresses; otherwise their domains only. */
  readonly addresses: boolean
}

function isAddress(value: object): value is { local: string; domain: string } {
  return 'local' in value && 'domain' in value && typeof value.local === 'string' && typeof value.domain === 'string'
}

function printable(value: Field, addresses: boolean): unknown {
  if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? value.toString() : value
  if (value instanceof Secret) return '[secret]'
  if (value instanceof Uint8Array) return `[${value.byteLength} octets]`
  if (value instanceof Error) {
    const code = (value as NodeJS.ErrnoException).code
    return { name: value.name, message: value.message, ...(code ? { code } : {}), stack: value.stack }
  }
  if (isAddress(value)) return addresses ? `${value.local}@${value.domain}` : `*@${value.domain}`
  if (Array.isArray(value)) return value.map((one) => printable(one as Field, addresses))
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, printable(one as Field, addresses)]))
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger
  readonly #addresses: boolean
  /** Of every line. Kept by us: each session has some, and a child of the library costs two kilobytes. */
  readonly #fields: object

  constructor(target: pino.Logger, addresses: boolean, fields: object = {}) {
    this.#pino = target
    this.#addresses = addresses
    this.#fields = fields
  }

  #print(fields: Fields): object {
    return { ...this.#fields, ...(printable(fields, this.#addresses) as object) }
  }

  debug(fields: Fields, msg: string): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(this.#print(fields), msg)
  }

  info(fields: Fields, msg: string): void {
    if (this.#pino.isLevelEnabled('info')) this.#pino.info(this.#print(fields), msg)
  }

  warn(fields: Fields, msg: string): void {
    this.#pino.warn(this.#print(fields), msg)
  }

  error(fields: Fields, msg: string): void {
    this.#pino.error(this.#print(fields), msg)
    this.#pino.flush()
  }

  with(fields: Fields): Logger {
    return new PinoLogger(this.#pino, this.#addresses, this.#print(fields))
  }
}

/** Lines gather for a moment under load; what is written late would be lost with the process, so errors are written at once. */
const GATHERED_MS = 50

function standardError() {
  const stream = pino.destination({ fd: 2, sync: true, minLength: 8192, periodicFlush: GATHERED_MS })
  process.on('exit', () => stream.flushSync())
  return stream
}

/** Writes one JSON object per line to `destination` (standard error by default, which keeps standard output for answers). */
export function createLogger(options: LogOptions, destination?: { write(line: string): void }): Logger {
  const target = destination ?? standardError()
  return new PinoLogger(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
      },
      target,
    ),
    options.addresses,
  )
}

/** For tests and for code that runs without an operator. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
}
