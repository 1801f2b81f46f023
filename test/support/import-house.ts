/** An account with a store in memory and a ledger on the disk, to import into; and what is in it afterwards. */
import type { MailSource, SourceEntry, SourceMailbox } from '#agents/import/import.ts'
import { type Imported, type ImportFailure, type ImportOptions, importMail } from '#agents/import/importer.ts'
import { openLedger } from '#agents/import/ledger.ts'
import type { MailStore } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { systemClock } from '#lib/clock.ts'
import { temporaryDirectory } from './temporary.ts'

export interface Kept {
  readonly mailbox: string
  readonly content: string
  readonly flags: readonly string[]
  readonly internalDate: number
}

export interface ImportHouse extends AsyncDisposable {
  readonly store: MailStore
  /** Path of the ledger. */
  readonly ledger: string
  take(
    source: MailSource,
    options?: Partial<ImportOptions>,
  ): Promise<Imported & { readonly failures: readonly ImportFailure[] }>
  kept(): Promise<Kept[]>
}

export const ACCOUNT = 'anna'

export async function importHouse(wrap: (store: MailStore) => MailStore = (store) => store): Promise<ImportHouse> {
  const folder = await temporaryDirectory('import')
  const store = createMemoryMailStore()
  await store.create(ACCOUNT)
  const ledger = folder.join('import.db')
  return {
    store,
    ledger,
    async take(source, options = {}) {
      await using opened = await openLedger(ledger, Buffer.alloc(32, 7), ACCOUNT)
      const failures: ImportFailure[] = []
      const result = await importMail(source, {
        store: wrap(store),
        account: ACCOUNT,
        ledger: opened,
        to: null,
        dryRun: false,
        clock: systemClock,
        signal: new AbortController().signal,
        progress: () => {},
        failed: (failure) => failures.push(failure),
        ...options,
      })
      return { ...result, failures }
    },
    async kept() {
      await using mail = await store.open(ACCOUNT, null)
      const all: Kept[] = []
      for (const { id, name } of await mail.mailboxes())
        for (const { uid, flags, internalDate } of await mail.list(id))
          all.push({
            mailbox: name,
            content: Buffer.from((await mail.read(id, uid))!).toString('latin1'),
            flags,
            internalDate,
          })
      return all
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** A source of these messages, in one mailbox for each name. */
export function sourceOf(
  mailboxes: Readonly<Record<string, readonly SourceEntry[]>>,
  more: Partial<SourceMailbox> = {},
): MailSource {
  return {
    async *mailboxes() {
      for (const [name, entries] of Object.entries(mailboxes))
        yield {
          levels: name.split('/'),
          specialUse: null,
          isView: false,
          count: entries.length,
          ...more,
          async *entries() {
            yield* entries
          },
        }
    },
    async [Symbol.asyncDispose]() {},
  }
}

export const message = (
  content: string,
  flags: readonly string[] = [],
  internalDate: number | null = 1_700_000_000_000,
) => ({ kind: 'message', name: content.slice(0, 20), content: Buffer.from(content), flags, internalDate }) as const

/** Everything of a source, by mailbox; what is unreadable as its reason. */
export async function readAll(source: MailSource) {
  const found: {
    mailbox: string
    content: string
    flags: readonly string[]
    internalDate: number | null
    name: string
    why?: string
  }[] = []
  const blank = { content: '', flags: [], internalDate: null }
  for await (const mailbox of source.mailboxes()) {
    if ('kind' in mailbox) {
      found.push({ ...blank, mailbox: mailbox.name, name: mailbox.name, why: mailbox.why })
      continue
    }
    const name = mailbox.levels.join('/')
    for await (const entry of mailbox.entries(async (origins) => origins.map(() => false))) {
      if (entry.kind === 'message') {
        const { content, flags, internalDate } = entry
        found.push({
          mailbox: name,
          content: Buffer.from(content).toString('latin1'),
          flags,
          internalDate,
          name: entry.name,
        })
      } else if (entry.kind === 'unreadable') found.push({ ...blank, mailbox: name, name: entry.name, why: entry.why })
    }
  }
  await source[Symbol.asyncDispose]()
  return found
}
