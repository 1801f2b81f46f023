/** The two forms of an export. Files are for their owner alone, and each is whole or not there. */
import { createWriteStream } from 'node:fs'
import { mkdir, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Mailbox, MessageRow } from '#custody/store/mail-store.ts'
import type { Bytes } from '#lib/bytes.ts'
import { folderNames } from './export-names.ts'

export interface FolderWriter {
  write(row: MessageRow, content: Bytes): Promise<void>
  finish(): Promise<void>
}

export interface ExportWriter {
  folder(mailbox: Mailbox): Promise<FolderWriter>
  finish(): Promise<void>
}

const LETTERS: ReadonlyMap<string, string> = new Map([
  ['\\draft', 'D'],
  ['\\flagged', 'F'],
  ['$forwarded', 'P'],
  ['\\answered', 'R'],
  ['\\seen', 'S'],
  ['\\deleted', 'T'],
])

/** Letters `a` to `z` for keywords, as Dovecot gives them: those that come first have one. */
class Keywords {
  readonly #letters = new Map<string, string>()
  readonly #names: string[] = []
  /** How often one had no letter. */
  left = 0

  letterOf(keyword: string): string {
    const lower = keyword.toLowerCase()
    let letter = this.#letters.get(lower)
    if (letter === undefined && this.#names.length < 26) {
      letter = String.fromCharCode(97 + this.#names.push(keyword) - 1)
      this.#letters.set(lower, letter)
    }
    if (letter === undefined) this.left++
    return letter ?? ''
  }

  /** The file `dovecot-keywords`. */
  file(): string {
    return this.#names.map((name, index) => `${index} ${name}\n`).join('')
  }
}

function flagLetters(row: MessageRow, keywords: Keywords): string {
  return row.flags
    .map((flag) => LETTERS.get(flag.toLowerCase()) ?? (flag.startsWith('\\') ? '' : keywords.letterOf(flag)))
    .sort()
    .join('')
}

async function writeWhole(temporary: string, path: string, row: MessageRow, content: Bytes): Promise<void> {
  await writeFile(temporary, content, { mode: 0o600, flag: 'wx' })
  await utimes(temporary, row.internalDate / 1000, row.internalDate / 1000)
  await rename(temporary, path)
}

/**
 * Maildir++: INBOX at the top, the others in folders within it. The file's time is the internal date, flags are letters in its name,
 * and `letterlock-mailbox` says what the mailbox is called here. `leftOut` is told how many keywords had no letter any more.
 */
export function maildirWriter(
  to: string,
  mailboxes: readonly Mailbox[],
  leftOut: (count: number) => void,
): ExportWriter {
  const folders = folderNames(mailboxes.map(({ name }) => name))
  return {
    async folder({ name, specialUse }) {
      const folder = name === 'INBOX' ? to : join(to, `.${folders.get(name)}`)
      for (const part of ['cur', 'new', 'tmp']) await mkdir(join(folder, part), { recursive: true, mode: 0o700 })
      // Maildir++: a folder within a Maildir has this file.
      if (folder !== to) await writeFile(join(folder, 'maildirfolder'), '', { mode: 0o600 })
      await writeFile(join(folder, 'letterlock-mailbox'), `${JSON.stringify({ mailbox: name, specialUse })}\n`, {
        mode: 0o600,
      })
      const keywords = new Keywords()
      return {
        write(row, content) {
          const file = `${Math.floor(row.internalDate / 1000)}.u${row.uid}.letterlock`
          const flags = flagLetters(row, keywords)
          return writeWhole(join(folder, 'tmp', file), join(folder, 'cur', `${file}:2,${flags}`), row, content)
        },
        async finish() {
          if (keywords.file() !== '')
            await writeFile(join(folder, 'dovecot-keywords'), keywords.file(), { mode: 0o600 })
          if (keywords.left > 0) leftOut(keywords.left)
        },
      }
    },
    async finish() {},
  }
}

/** A folder for each mailbox, a file for each message; `index.jsonl` has a line for each file, with its mailbox, date and flags. */
export function sealedWriter(to: string, mailboxes: readonly Mailbox[]): ExportWriter {
  const folders = folderNames(mailboxes.map(({ name }) => name))
  const index = createWriteStream(join(to, 'index.jsonl'), { mode: 0o600, flags: 'wx' })
  // Told by the write that comes next, or by the end.
  index.on('error', () => {})
  return {
    async folder({ name }) {
      const folder = folders.get(name)!
      await mkdir(join(to, folder), { mode: 0o700 })
      return {
        async write(row, content) {
          const file = `${folder}/${row.uid}.pgp`
          await writeWhole(join(to, `${file}.part`), join(to, file), row, content)
          const { uid, internalDate, flags } = row
          const line = `${JSON.stringify({ file, mailbox: name, uid, internalDate, flags })}\n`
          await new Promise<void>((resolve, reject) => {
            index.write(line, (error) => (error ? reject(error) : resolve()))
          })
        },
        async finish() {},
      }
    },
    async finish() {
      index.end()
      await finished(index)
    },
  }
}
