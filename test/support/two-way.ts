/** The two ends of a synchronisation, edited alike: Maildirs on this side, the server on the other. Messages are known by a serial number. */
import assert from 'node:assert/strict'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImapFlow } from 'imapflow'
import { decodeMailboxName, encodeMailboxName } from '#formats/imap/mailbox-name.ts'
import { readMaildir } from './peers/maildir.ts'
import { asSent } from './peers/mbsync.ts'

/** Flags by their letters in Maildir file names. */
export const KEYWORDS: Readonly<Record<string, string>> = {
  D: '\\Draft',
  F: '\\Flagged',
  P: '$Forwarded',
  R: '\\Answered',
  S: '\\Seen',
}

export interface KeptMessage {
  readonly serial: number
  readonly mailbox: string
  /** Letters, sorted. */
  readonly flags: string
  readonly content: Buffer
}

export interface MailSide {
  create(mailbox: string): Promise<void>
  add(message: KeptMessage): Promise<void>
  changeFlag(serial: number, flag: string, isSet: boolean): Promise<void>
  move(serial: number, mailbox: string): Promise<void>
  remove(serial: number): Promise<void>
  mailboxes(): Promise<string[]>
  /** All that it holds; the other methods know only what this has seen. */
  messages(): Promise<KeptMessage[]>
}

const serialOf = (content: Buffer) => Number(/^X-Serial: (\d+)\r$/m.exec(content.toString('latin1'))?.[1])

export class MaildirSide implements MailSide {
  readonly #root: string
  readonly #files = new Map<number, string>()
  #made = 0

  /** `root` has a Maildir for each mailbox, under its name in modified UTF-7. */
  constructor(root: string) {
    this.#root = root
  }

  #directory(mailbox: string): string {
    return join(this.#root, encodeMailboxName(mailbox))
  }

  #newFile(mailbox: string, flags: string): string {
    return join(this.#directory(mailbox), 'cur', `1800000000.${++this.#made}.near:2,${flags}`)
  }

  async create(mailbox: string): Promise<void> {
    for (const folder of ['cur', 'new', 'tmp']) await mkdir(join(this.#directory(mailbox), folder), { recursive: true })
  }

  async add({ mailbox, flags, content }: KeptMessage): Promise<void> {
    await writeFile(this.#newFile(mailbox, flags), content.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
  }

  async changeFlag(serial: number, flag: string, isSet: boolean): Promise<void> {
    const [, place, base, old] = /^(.*)\/(?:new|cur)\/([^/]*?)(?::2,(\w*))?$/.exec(this.#files.get(serial)!)!
    const others = [...(old ?? '')].filter((letter) => letter !== flag)
    const flags = [...others, ...(isSet ? [flag] : [])].sort().join('')
    await this.#rename(serial, `${place}/cur/${base}:2,${flags}`)
  }

  /** Under a new name: mbsync keeps UIDs in names. */
  async move(serial: number, mailbox: string): Promise<void> {
    const flags = /:2,(\w*)$/.exec(this.#files.get(serial)!)?.[1] ?? ''
    await this.#rename(serial, this.#newFile(mailbox, flags))
  }

  async remove(serial: number): Promise<void> {
    await rm(this.#files.get(serial)!)
  }

  async #rename(serial: number, to: string): Promise<void> {
    await rename(this.#files.get(serial)!, to)
    this.#files.set(serial, to)
  }

  async mailboxes(): Promise<string[]> {
    const names = (await readdir(this.#root, { withFileTypes: true })).filter((entry) => entry.isDirectory())
    return names.map(({ name }) => decodeMailboxName(name)!)
  }

  async messages(): Promise<KeptMessage[]> {
    this.#files.clear()
    const all: KeptMessage[] = []
    for (const mailbox of await this.mailboxes()) {
      for (const { file, isNew, flags, content } of await readMaildir(this.#directory(mailbox))) {
        const serial = serialOf(asSent(content))
        this.#files.set(serial, join(this.#directory(mailbox), isNew ? 'new' : 'cur', file))
        all.push({ serial, mailbox, flags, content: asSent(content) })
      }
    }
    return all
  }
}

export class ServerSide implements MailSide {
  readonly #flow: ImapFlow
  readonly #places = new Map<number, { mailbox: string; uid: number }>()

  constructor(flow: ImapFlow) {
    this.#flow = flow
  }

  async #at<T>(mailbox: string, work: () => Promise<T>): Promise<T> {
    const lock = await this.#flow.getMailboxLock(mailbox)
    try {
      return await work()
    } finally {
      lock.release()
    }
  }

  #on<T>(serial: number, work: (uid: string) => Promise<T>): Promise<T> {
    const { mailbox, uid } = this.#places.get(serial)!
    return this.#at(mailbox, () => work(String(uid)))
  }

  async create(mailbox: string): Promise<void> {
    await this.#flow.mailboxCreate(mailbox)
    await this.#flow.mailboxSubscribe(mailbox)
  }

  async add({ mailbox, flags, content }: KeptMessage): Promise<void> {
    await this.#flow.append(mailbox, content, keywordsOf(flags))
  }

  async changeFlag(serial: number, flag: string, isSet: boolean): Promise<void> {
    const change = isSet ? 'messageFlagsAdd' : 'messageFlagsRemove'
    await this.#on(serial, (uid) => this.#flow[change](uid, keywordsOf(flag), { uid: true }))
  }

  async move(serial: number, mailbox: string): Promise<void> {
    const { uid } = this.#places.get(serial)!
    const moved = await this.#on(serial, () => this.#flow.messageMove(String(uid), mailbox, { uid: true }))
    this.#places.set(serial, { mailbox, uid: moved ? moved.uidMap!.get(uid)! : assert.fail('not moved') })
  }

  async remove(serial: number): Promise<void> {
    await this.#on(serial, (uid) => this.#flow.messageDelete(uid, { uid: true }))
  }

  async mailboxes(): Promise<string[]> {
    return (await this.#flow.list()).map(({ path }) => path)
  }

  async messages(): Promise<KeptMessage[]> {
    this.#places.clear()
    const all: KeptMessage[] = []
    for (const mailbox of await this.mailboxes()) {
      await this.#at(mailbox, async () => {
        // What other sessions removed is told here; an empty mailbox has no message 1.
        await this.#flow.noop()
        if (this.#flow.mailbox && this.#flow.mailbox.exists === 0) return
        for (const { uid, source, flags } of await this.#flow.fetchAll('1:*', { source: true, flags: true })) {
          const content = asSent(Buffer.from(source!.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'))
          const serial = serialOf(content)
          this.#places.set(serial, { mailbox, uid })
          all.push({ serial, mailbox, flags: lettersOf(flags ?? new Set()), content })
        }
      })
    }
    return all
  }
}

function keywordsOf(flags: string): string[] {
  return [...flags].map((letter) => KEYWORDS[letter]!)
}

function lettersOf(flags: ReadonlySet<string>): string {
  return Object.keys(KEYWORDS)
    .filter((letter) => flags.has(KEYWORDS[letter]!))
    .join('')
}
