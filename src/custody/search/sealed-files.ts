/**
 * Files of the index as they are on the disk: AES-256-GCM under a key derived from the account's index key, bound to the account and
 * the file's name, compressed, and padded so that their sizes say little. Nothing else of the index ever leaves memory.
 *
 * Version octet, then a number in clear (of messages, for the manifest), four octets; nonce, ciphertext, tag. The clear text: length of
 * what is compressed (four octets), that, zeros.
 */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { openOctets, sealOctets } from '#lib/sealed-octets.ts'

/** Where files are kept, by names of letters, digits and dashes. */
export interface IndexFiles {
  /** null: there is none. */
  read(name: string): Promise<Bytes | null>
  /** In the place of the one of that name; never half of it. */
  write(name: string, octets: Bytes): Promise<void>
  remove(name: string): Promise<void>
  names(): Promise<readonly string[]>
  /** Whether it was written so long ago that nobody is about to name it. */
  isOld(name: string): Promise<boolean>
  /** Before files are changed, by one process at a time. null: another one is about it. Reading needs none. */
  claim(): Promise<Disposable | null>
}

export type Opened =
  | { readonly kind: 'open'; readonly octets: Buffer; readonly isOld: boolean; readonly mark: string }
  /** Also of another account, or under a key that is not here. */
  | { readonly kind: 'damaged' | 'older' | 'newer' | 'missing' }

/** Another one when the files, or the texts that messages are taken to have (message-text.ts), are not what they were. */
const VERSION = 2
const PREFIX = 5
const NONCE = 12
const LENGTH = 4
const SMALLEST_PAGE = 4096
/** Of the size: padding is at most so much of it. */
const FINENESS = 16

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export class SealedFiles implements Disposable {
  readonly #account: string
  /** Newest first. */
  readonly #keys: readonly Bytes[]
  readonly #files: IndexFiles

  /** The keys, of 32 octets each, are wiped when it is disposed. */
  constructor(account: string, keys: readonly Bytes[], files: IndexFiles) {
    this.#account = account
    this.#keys = keys
    this.#files = files
  }

  #purpose(name: string, count: number): string {
    return `letterlock search|${VERSION}|${this.#account}|${name}|${count}`
  }

  /** Wipes what it is given. `count` can be read without keys. Answers the file's mark: no other one has it. */
  async write(name: string, clear: Bytes, count = 0): Promise<string> {
    const compressed = await compress(clear)
    wipe(clear)
    const padded = Buffer.alloc(paddedSize(LENGTH + compressed.length))
    padded.writeUInt32LE(compressed.length)
    padded.set(compressed, LENGTH)
    wipe(compressed)
    const prefix = Buffer.alloc(PREFIX)
    prefix[0] = VERSION
    prefix.writeUInt32LE(count, 1)
    const sealed = sealOctets(this.#keys[0]!, this.#purpose(name, count), padded)
    wipe(padded)
    const file = Buffer.concat([prefix, sealed])
    await this.#files.write(name, file)
    return markOf(file)
  }

  async open(name: string): Promise<Opened> {
    const found = await this.#files.read(name)
    if (!found) return { kind: 'missing' }
    const version = found[0] ?? 0
    if (version !== VERSION) return { kind: version > VERSION ? 'newer' : version > 0 ? 'older' : 'damaged' }
    const count = countOf(found)
    for (const [index, key] of this.#keys.entries()) {
      const padded = count === null ? null : openOctets(key, this.#purpose(name, count), found.subarray(PREFIX))
      if (!padded) continue
      const octets = await decompress(padded.subarray(LENGTH, LENGTH + padded.readUInt32LE()))
      wipe(padded)
      return { kind: 'open', octets, isOld: index > 0, mark: markOf(found) }
    }
    return { kind: 'damaged' }
  }

  /** Files besides these that nobody is about to name: what a crash, or another process, left behind. */
  async removeOthers(kept: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#files.names())
      if (!kept.has(name) && (await this.#files.isOld(name))) await this.#files.remove(name)
  }

  remove(name: string): Promise<void> {
    return this.#files.remove(name)
  }

  [Symbol.dispose](): void {
    for (const key of this.#keys) wipe(key)
  }
}

/** Its nonce. */
function markOf(file: Bytes): string {
  return asBuffer(file).toString('hex', PREFIX, PREFIX + NONCE)
}

function paddedSize(size: number): number {
  const page = Math.max(SMALLEST_PAGE, 2 ** Math.floor(Math.log2(size / FINENESS)))
  return Math.ceil(size / page) * page
}

/** The number that stands in clear; null for what is no such file. It is believed only where it does not matter. */
export function countOf(file: Bytes): number | null {
  return file.length >= PREFIX && file[0] === VERSION ? asBuffer(file).readUInt32LE(1) : null
}
