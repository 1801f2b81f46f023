/**
 * Reads a Maildir: `cur` and `new` of the folder itself and of those within it, whether Maildir++ (`.Sub.Folder`, Courier and
 * Dovecot) or one in the other (`Sub/Folder`, mbsync). Other programs may use it meanwhile; nothing in it is changed.
 */
import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises'
import type { SpecialUse } from '#custody/store/mail-store.ts'
import { type MailSource, type SourceEntry, SourceFailed, type SourceMailbox } from './import.ts'
import { levelFromFile, specialUseOf } from './mailbox-names.ts'
import { readFileName, readKeywords } from './maildir-names.ts'
import { toWireForm } from './wire-form.ts'

export interface MaildirOptions {
  /** Octets of a message; longer ones are not read. */
  readonly messageLimit: number
}

type Unreadable = { readonly kind: 'unreadable'; readonly name: string; readonly why: string }

interface Folder {
  readonly path: Buffer
  readonly levels: readonly string[]
  readonly depth: number
}

const DEPTH = 32
const FOLDERS = 50_000
const NOTE_OCTETS = 8192
const OWN = new Set(['cur', 'new', 'tmp'])
/** Beside the messages of an exported folder: its mailbox as the store names it. */
const NOTE = 'letterlock-mailbox'

const within = (path: Buffer, name: Buffer | string) =>
  Buffer.concat([path, Buffer.from('/'), Buffer.isBuffer(name) ? name : Buffer.from(name)])

const LINKED = 'it is a symbolic link, and those are not followed'

function excuse(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'it was moved or deleted while the folder was read: run the import again'
  if (code === 'ELOOP') return LINKED
  return code === undefined ? message : `it cannot be read (${code})`
}

/** Opens regular files only, and never waits for a pipe. */
async function openFile(path: Buffer): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

/** A small file beside the messages; empty when it is not there, or not one. */
async function readNote(path: Buffer): Promise<string> {
  try {
    await using file = await openFile(path)
    const facts = await file.stat()
    return facts.isFile() && facts.size <= NOTE_OCTETS ? await file.readFile('utf8') : ''
  } catch {
    return ''
  }
}

/** What our own export wrote there. */
function readMailboxNote(text: string): { levels: readonly string[]; specialUse: SpecialUse | null } | null {
  try {
    const { mailbox } = JSON.parse(text) as { mailbox?: unknown }
    if (typeof mailbox !== 'string') return null
    const levels = mailbox.split('/')
    return { levels, specialUse: specialUseOf(levels) }
  } catch {
    return null
  }
}

async function list(path: Buffer): Promise<Dirent<Buffer>[]> {
  return readdir(path, { withFileTypes: true, encoding: 'buffer' })
}

class Maildir implements MailSource {
  readonly #root: Buffer
  readonly #options: MaildirOptions

  constructor(root: string, options: MaildirOptions) {
    this.#root = Buffer.from(root)
    this.#options = options
  }

  async *mailboxes(): AsyncGenerator<SourceMailbox | Unreadable> {
    const waiting: Folder[] = [{ path: this.#root, levels: [], depth: 0 }]
    let mailboxes = 0
    let folders = 0
    for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
      if (++folders > FOLDERS) throw new SourceFailed(`there are more than ${FOLDERS} folders in ${this.#root}`)
      const { found, inner, unreadable } = await look(folder)
      yield* unreadable
      if (found) {
        mailboxes++
        yield await this.#mailbox(folder)
      }
      waiting.push(...inner.reverse())
    }
    if (mailboxes === 0)
      throw new SourceFailed(`${this.#root} is no Maildir: neither it nor a folder in it holds \`cur\` and \`new\``)
  }

  async #mailbox({ path, levels }: Folder): Promise<SourceMailbox> {
    const note = readMailboxNote(await readNote(within(path, NOTE)))
    return {
      ...(note ?? { levels, specialUse: specialUseOf(levels) }),
      isView: false,
      count: null,
      entries: () => this.#entries(path),
    }
  }

  async *#entries(path: Buffer): AsyncGenerator<SourceEntry> {
    const keywords = readKeywords(await readNote(within(path, 'dovecot-keywords')))
    const files: { readonly part: 'cur' | 'new'; readonly name: Buffer; readonly key: string }[] = []
    for (const part of ['cur', 'new'] as const) {
      try {
        const folder = within(path, part)
        if ((await lstat(folder)).isSymbolicLink()) throw Object.assign(new Error(LINKED), { code: 'ELOOP' })
        for (const { name } of await list(folder))
          if (name[0] !== 0x2e) files.push({ part, name, key: orderOf(name.toString('latin1')) })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          yield { kind: 'unreadable', name: part, why: excuse(error) }
      }
    }
    files.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    for (const { part, name } of files) yield await this.#read(path, part, name, keywords)
  }

  async #read(path: Buffer, part: 'cur' | 'new', file: Buffer, keywords: readonly string[]): Promise<SourceEntry> {
    const name = `${part}/${levelFromFile(file)}`
    try {
      await using handle = await openFile(within(within(path, part), file))
      const facts = await handle.stat()
      if (!facts.isFile()) return { kind: 'unreadable', name, why: 'it is no file' }
      if (facts.size > this.#options.messageLimit)
        return { kind: 'unreadable', name, why: `it is larger than limits.messageSize (${facts.size} octets)` }
      const content = Buffer.allocUnsafeSlow(facts.size)
      let size = 0
      for (let read = 1; read > 0 && size < content.length; size += read)
        read = (await handle.read(content, size, content.length - size, size)).bytesRead
      const { delivered, flags } = readFileName(file.toString('latin1'), keywords, part === 'new')
      // Programs that keep the date set the file's time to it; one that was copied carelessly is younger than its name says.
      const time = Math.floor(facts.mtimeMs / 1000)
      const internalDate = Math.min(time, delivered ?? time) * 1000
      return { kind: 'message', name, content: toWireForm(content.subarray(0, size)), internalDate, flags }
    } catch (error) {
      return { kind: 'unreadable', name, why: excuse(error) }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** By the time of delivery, then as numbers count: `1795000000.u9` before `1795000000.u10`. */
function orderOf(name: string): string {
  return name.replace(/[0-9]{1,20}/g, (digits) => digits.padStart(20, '0'))
}

/** What lies in a folder: whether it is a Maildir, and the folders below it. */
async function look({ path, levels, depth }: Folder) {
  const inner: Folder[] = []
  const unreadable: Unreadable[] = []
  let found = false
  const entries = await list(path).catch((error) => {
    if (depth === 0) throw error
    unreadable.push({ kind: 'unreadable', name: levels.join('/'), why: excuse(error) })
    return []
  })
  const names = entries.map((entry) => ({ entry, text: entry.name.toString('latin1') }))
  for (const { entry, text } of names.sort((a, b) => (a.text < b.text ? -1 : 1))) {
    if (OWN.has(text)) {
      found ||= text !== 'tmp' && (entry.isDirectory() || entry.isSymbolicLink())
      continue
    }
    const parts = text.startsWith('.') ? text.slice(1).split('.') : [text]
    const below = [...levels, ...parts.map((level) => levelFromFile(Buffer.from(level, 'latin1')))]
    if (entry.isSymbolicLink()) unreadable.push({ kind: 'unreadable', name: below.join('/'), why: LINKED })
    else if (!entry.isDirectory()) continue
    else if (depth === DEPTH) unreadable.push({ kind: 'unreadable', name: below.join('/'), why: 'it lies too deep' })
    else inner.push({ path: within(path, entry.name), levels: below, depth: depth + 1 })
  }
  return { found, inner, unreadable }
}

/** Throws SourceFailed when there is no such folder. */
export async function openMaildir(path: string, options: MaildirOptions): Promise<MailSource> {
  const facts = await stat(path).catch((error) => {
    throw new SourceFailed(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  })
  if (!facts.isDirectory()) throw new SourceFailed(`${path} is no folder; one file with many messages is mbox:${path}`)
  return new Maildir(path, options)
}
