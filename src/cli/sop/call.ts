/** One invocation: its options, what it reads and what it writes (draft § Special Designators). */
import { existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { type ArmorLabel, armor } from '#formats/openpgp/armor.ts'
import type { Bytes } from '#lib/bytes.ts'
import { SopFailure } from './failure.ts'

export interface SopIo {
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly stdout: Writable
  readonly stderr: Writable
  /** Where `@ENV:` designators look. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What a subcommand takes besides its positional arguments; names without their dashes. */
export interface Options {
  readonly flags?: readonly string[]
  readonly values?: readonly string[]
  /** Older names and what they are called now. */
  readonly renamed?: Readonly<Record<string, string>>
}

const LARGEST_INPUT = 1 << 30

export class Call {
  readonly positionals: readonly string[]
  readonly io: SopIo
  readonly #flags: ReadonlySet<string>
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(args: readonly string[], options: Options, io: SopIo) {
    const { positionals, flags, values } = parse(args, options)
    this.positionals = positionals
    this.#flags = flags
    this.#values = values
    this.io = io
  }

  get now(): number {
    return this.io.now
  }

  has(flag: string): boolean {
    return this.#flags.has(flag)
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** The last one given. */
  one(name: string): string | null {
    return this.all(name).at(-1) ?? null
  }

  /** One of the words that the option allows; the first is the default. */
  word<const T extends string>(name: string, words: readonly T[]): T {
    const given = this.one(name) ?? words[0]
    const found = words.find((word) => word === given)
    if (!found) throw new SopFailure('UNSUPPORTED_OPTION', `--${name} is one of ${words.join(', ')}`)
    return found
  }

  async stdin(): Promise<Buffer> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.io.stdin) {
      const octets = Buffer.from(chunk)
      size += octets.length
      if (size > LARGEST_INPUT) throw new SopFailure('BAD_DATA', 'standard input is too large')
      chunks.push(octets)
    }
    return Buffer.concat(chunks)
  }

  /** A file, `@FD:` or `@ENV:`. */
  read(designator: string): Buffer {
    const special = specialOf(designator)
    if (special?.prefix === 'ENV') {
      const value = this.io.env[special.name]
      if (value === undefined) throw new SopFailure('MISSING_INPUT', `${designator} is not set`)
      return Buffer.from(value)
    }
    try {
      return readFileSync(special ? descriptor(special.name) : designator)
    } catch (error) {
      if (error instanceof SopFailure) throw error
      throw new SopFailure('MISSING_INPUT', `${designator} cannot be read`)
    }
  }

  /** Refuses an output that is there already, before any work is done. */
  checkOutput(name: string): void {
    const designator = this.one(name)
    if (designator === null || specialOf(designator)?.prefix === 'FD') return
    if (specialOf(designator)) throw new SopFailure('UNSUPPORTED_SPECIAL_PREFIX', `${designator} cannot be written`)
    if (existsSync(designator)) throw new SopFailure('OUTPUT_EXISTS', `${designator} exists`)
  }

  /** Writes to the file or descriptor that the option names, if it was given. */
  writeTo(name: string, octets: Bytes | string): void {
    const designator = this.one(name)
    if (designator === null) return
    const special = specialOf(designator)
    const content = Buffer.from(octets as string)
    if (special) writeWhole(descriptor(special.name), content)
    else writeFileSync(designator, content, { flag: 'wx', mode: 0o600 })
  }

  async write(octets: Bytes | string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.io.stdout.write(octets, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Armored, unless `--no-armor`. RFC 9580 §6.1: version 6 material has no checksum. */
  async writePackets(label: ArmorLabel, packets: Bytes, checksum = true): Promise<void> {
    await this.write(this.has('no-armor') ? packets : armor(label, packets, { checksum }))
  }

  /** The same into the file or descriptor that the option names. */
  writePacketsTo(name: string, label: ArmorLabel, packets: Bytes, checksum = true): void {
    this.writeTo(name, this.has('no-armor') ? packets : armor(label, packets, { checksum }))
  }
}

function writeWhole(fd: number, octets: Buffer): void {
  for (let at = 0; at < octets.length; ) at += writeSync(fd, octets, at)
}

interface Parsed {
  readonly positionals: string[]
  readonly flags: Set<string>
  readonly values: Map<string, string[]>
}

function parse(args: readonly string[], { flags = [], values = [], renamed = {} }: Options): Parsed {
  const parsed: Parsed = { positionals: [], flags: new Set(), values: new Map() }
  const queue = [...args]
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === '--') {
      parsed.positionals.push(...queue.splice(0))
    } else if (!arg.startsWith('-') || arg === '-') {
      parsed.positionals.push(arg)
    } else {
      const equals = arg.indexOf('=')
      const given = arg.slice(2, equals < 0 ? undefined : equals)
      const name = Object.hasOwn(renamed, given) ? renamed[given]! : given
      if (!arg.startsWith('--')) throw new SopFailure('UNSUPPORTED_OPTION', `${arg} is not an option here`)
      if (equals < 0 && (flags.includes(name) || name === 'debug')) parsed.flags.add(name)
      else if (values.includes(name)) keep(parsed.values, name, equals < 0 ? queue.shift() : arg.slice(equals + 1))
      else throw new SopFailure('UNSUPPORTED_OPTION', `--${name} is not an option here`)
    }
  }
  return parsed
}

function keep(values: Map<string, string[]>, name: string, value: string | undefined): void {
  if (value === undefined) throw new SopFailure('MISSING_ARG', `--${name} needs a value`)
  values.set(name, [...(values.get(name) ?? []), value])
}

function specialOf(designator: string): { prefix: 'ENV' | 'FD'; name: string } | null {
  if (!designator.startsWith('@')) return null
  if (existsSync(designator))
    throw new SopFailure('AMBIGUOUS_INPUT', `${designator} is also a file; write ./${designator}`)
  const [prefix, name] = [designator.slice(1, designator.indexOf(':')), designator.slice(designator.indexOf(':') + 1)]
  if (prefix !== 'ENV' && prefix !== 'FD') {
    throw new SopFailure('UNSUPPORTED_SPECIAL_PREFIX', `${designator} is neither @ENV: nor @FD:`)
  }
  return { prefix, name }
}

function descriptor(name: string): number {
  if (!/^\d{1,6}$/.test(name)) throw new SopFailure('MISSING_INPUT', `@FD:${name} is no file descriptor`)
  return Number(name)
}

/** Text that must be text. */
export function requireText(octets: Buffer): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(octets)
  } catch {
    throw new SopFailure('EXPECTED_TEXT', 'the input is not UTF-8')
  }
}

/** An instant, `now`, or `-` for no limit: null. */
export function dateOf(word: string | null, now: number): number | null {
  if (word === null || word === '-') return null
  if (word === 'now') return now
  const match = /^(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(word)
  if (!match) throw new SopFailure('UNSUPPORTED_OPTION', `${word} is not a date`)
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = 'Z'] = match
  const offset = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`
  const instant = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`)
  if (Number.isNaN(instant)) throw new SopFailure('UNSUPPORTED_OPTION', `${word} is not a date`)
  return instant
}
