import { sql } from 'kysely'
import type { Bytes } from '#lib/bytes.ts'
import { BrokenDatabase } from '#lib/sqlite.ts'
import type {
  ContentChange,
  ContentId,
  ContentReplacement,
  Contents,
  ContentTally,
  IndexedParts,
  PageId,
  Place,
  StoredContent,
  UnsealingState,
} from './indexed-mail-store.ts'
import { type MailboxId, MessageUnreadable } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import type { SqlAccess } from './sql-access.ts'
import { INLINE_OCTETS } from './sql-append.ts'
import { findContents, readFiles } from './sql-bulk.ts'
import { moveMessages } from './sql-changes.ts'
import { insertContent } from './sql-messages.ts'
import { addPage, deleteWaiting, settlePages } from './sql-pages.ts'
import { readParts } from './sql-parts.ts'
import { keepSealedNames } from './sql-sealed-names.ts'

type One = { account: number; content: number }

const tallyRows = prepare((query, given: { account: number }) =>
  query
    .selectFrom('content')
    .select((row) => ['sealed_to', 'unreadable', row.fn.countAll<number>().as('contents')])
    .where('account_id', '=', given.account)
    .groupBy(['sealed_to', 'unreadable']),
)
const alike = prepare((query, given: { account: number; sealedTo: string | null; limit: number }) =>
  query
    .selectFrom('content')
    .select(['content_id as id', 'size'])
    .where('account_id', '=', given.account)
    .where('sealed_to', 'is not distinct from', given.sealedTo)
    .where('unreadable', '=', 0)
    .limit(given.limit),
)
const contentRow = prepare((query, given: One) =>
  query
    .selectFrom('content')
    .select(['size', 'octets', 'file'])
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const contentFile = prepare((query, given: One) =>
  query
    .selectFrom('content')
    .select(['size', 'file', 'unsealing'])
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const sharers = prepare((query, given: One & { limit: number }) =>
  query
    .selectFrom('message')
    .select(['mailbox_id as mailbox', 'uid', 'index_page'])
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content)
    .limit(given.limit),
)
const takeContentId = prepare((query, given: { account: number; used: number }) =>
  query
    .updateTable('account')
    .set((row) => ({ content_id: row('content_id', '+', 1), used: row('used', '+', given.used) }))
    .where('account_id', '=', given.account)
    .returning('content_id'),
)
const pointMessage = prepare((query, given: One & { mailbox: number; uid: number; size: number; page: number }) =>
  query
    .updateTable('message')
    .set({ content_id: given.content, size: given.size, index_page: given.page })
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const pointToPage = prepare((query, given: One & { page: number }) =>
  query
    .updateTable('message')
    .set({ index_page: given.page })
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
/** RFC 8474 §5.1: other octets are another email. */
const renameEmail = prepare((query, given: One) =>
  query
    .updateTable('message')
    .set({ email_id: given.content })
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const growMailbox = prepare((query, given: { account: number; mailbox: number; size: number }) =>
  query
    .updateTable('mailbox')
    .set((row) => ({ size: row('size', '+', given.size) }))
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox),
)
const dropContent = prepare((query, given: One) =>
  query.deleteFrom('content').where('account_id', '=', given.account).where('content_id', '=', given.content),
)
const markContent = prepare((query, given: One & { sealedTo: string | null; unreadable: number }) =>
  query
    .updateTable('content')
    .set({ sealed_to: given.sealedTo, unreadable: given.unreadable })
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)

const stateOf = prepare((query, given: One) =>
  query
    .selectFrom('content')
    .select('unsealing')
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const setState = prepare((query, given: One & { unsealing: UnsealingState }) =>
  query
    .updateTable('content')
    .set({ unsealing: given.unsealing })
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const uncheckedOnes = prepare((query, given: { account: number; before: number; limit: number }) =>
  query
    .selectFrom('content')
    .select('content_id')
    .where('account_id', '=', given.account)
    // A literal, as in the index that this is to be found by.
    .where(sql.ref('unsealing'), '=', sql.lit(2))
    .where('content_id', '<', given.before)
    .orderBy('content_id', 'desc')
    .limit(given.limit),
)

export async function readTally({ query, account }: AccountScope): Promise<readonly ContentTally[]> {
  const rows = await tallyRows(query, { account })
  return rows.map(({ sealed_to, unreadable, contents }) => ({
    sealedTo: sealed_to,
    unreadable: unreadable === 1,
    contents: Number(contents),
  }))
}

export class SqlContents implements Contents {
  readonly #access: SqlAccess
  readonly #notify: (...mailboxes: MailboxId[]) => void

  constructor(access: SqlAccess, notify: (...mailboxes: MailboxId[]) => void) {
    this.#access = access
    this.#notify = notify
  }

  tally(): Promise<readonly ContentTally[]> {
    return this.#access.read(readTally)
  }

  sealedTo(sealedTo: string | null, limit: number): Promise<readonly StoredContent[]> {
    return this.#access.read(({ query, account }) => alike(query, { account, sealedTo, limit }))
  }

  read(id: ContentId): Promise<Bytes | null> {
    return this.#access.read(async ({ query, account }, { blobs }) => {
      const find = async () => (await contentRow(query, { account, content: id }))[0] ?? null
      const found = await find()
      if (!found) return null
      if (found.octets) return found.octets
      try {
        return await blobs.read(found.file!, found.size)
      } catch (error) {
        // Its file went with it while we were on the way.
        if (error instanceof MessageUnreadable && !(await find())) return null
        throw error
      }
    })
  }

  async readAll(ids: readonly ContentId[]): Promise<Map<ContentId, Bytes | MessageUnreadable>> {
    const found = await this.#access.read(async (scope, { blobs }) => readFiles(blobs, await findContents(scope, ids)))
    // Its file went with it while we were on the way, or is missing.
    for (const [id, content] of found) {
      if (content instanceof Error && !(await this.#isThere(id))) found.delete(id)
    }
    return found
  }

  #isThere(id: ContentId): Promise<boolean> {
    return this.#access.read(
      async ({ query, account }) => (await contentFile(query, { account, content: id })).length > 0,
    )
  }

  example(id: ContentId): Promise<(IndexedParts & Place) | null> {
    return this.#access.read(async (scope) => {
      const [place] = await sharers(scope.query, { account: scope.account, content: id, limit: 1 })
      if (!place) return null
      const [parts] = await readParts(scope, place.mailbox, [place.uid])
      return parts ? { mailbox: place.mailbox, uid: place.uid, ...parts } : null
    })
  }

  /** The new file is on the disk before the row that names it, the old one is removed after the row that named it. */
  async replace(id: ContentId, replacement: ContentReplacement): Promise<boolean> {
    const { octets, sealedTo } = replacement
    return this.#access.use(async ({ db, account, blobs }) => {
      const file = octets.byteLength > INLINE_OCTETS ? await blobs.write(octets) : null
      const row = { size: octets.byteLength, octets: file === null ? octets : null, file, sealedTo }
      const replaced = await db
        .write((query) => exchange({ query, account }, id, row, replacement))
        .catch(async (error) => {
          // After a failed sync nobody knows which row counts: both files stay, and the one that none names is swept later.
          if (file !== null && !(error instanceof BrokenDatabase)) await blobs.remove([file])
          throw error
        })
      const unneeded = replaced ? replaced.oldFile : file
      if (unneeded !== null) await blobs.remove([unneeded])
      if (replacement.renumbers && replaced) this.#notify(...replaced.mailboxes)
      return replaced !== null
    })
  }

  async describe(id: ContentId, { page: seal, unsealing }: ContentChange): Promise<boolean> {
    return this.#access.write(async (scope) => {
      const { query, account } = scope
      const places = await placesOf(scope, id)
      if (places.length > 0) {
        const page = await addPage(scope, (number) => seal(number, id))
        await pointToPage(query, { account, content: id, page })
        await deleteWaiting(scope, [id])
        await settlePages(scope, [...pagesOf(places), page])
      }
      if (unsealing !== undefined) await setState(query, { account, content: id, unsealing })
      return places.length > 0
    })
  }

  unsealing(id: ContentId): Promise<UnsealingState> {
    return this.#access.read(
      async ({ query, account }) => (await stateOf(query, { account, content: id }))[0]?.unsealing ?? 0,
    )
  }

  unchecked(before: ContentId | null, limit: number): Promise<readonly ContentId[]> {
    return this.#access.read(async ({ query, account }) => {
      const rows = await uncheckedOnes(query, { account, before: before ?? Number.MAX_SAFE_INTEGER, limit })
      return rows.map(({ content_id }) => content_id)
    })
  }

  async mark(id: ContentId, as: { readonly sealedTo: string | null; readonly unreadable: boolean }): Promise<void> {
    const { sealedTo, unreadable } = as
    await this.#access.write(({ query, account }) =>
      markContent(query, { account, content: id, sealedTo, unreadable: unreadable ? 1 : 0 }),
    )
  }
}

type NewContent = Pick<Parameters<typeof insertContent>[1], 'size' | 'octets' | 'file' | 'sealedTo'>

type Sharer = Place & { readonly index_page: PageId | null }

function placesOf({ query, account }: AccountScope, content: ContentId): Promise<readonly Sharer[]> {
  return sharers(query, { account, content, limit: Number.MAX_SAFE_INTEGER })
}

function pagesOf(places: readonly Sharer[]): ReadonlySet<PageId> {
  return new Set(places.flatMap(({ index_page }) => index_page ?? []))
}

interface Exchanged {
  readonly oldFile: string | null
  readonly mailboxes: readonly MailboxId[]
}

/** Inside a transaction. null: the content is gone. */
async function exchange(
  scope: AccountScope,
  id: ContentId,
  row: NewContent,
  { page: seal, unsealing, renumbers, cameSealed }: Omit<ContentReplacement, 'octets' | 'sealedTo'>,
): Promise<Exchanged | null> {
  const { query, account } = scope
  const [old] = await contentFile(query, { account, content: id })
  if (!old) return null
  if (renumbers) await renumber(scope, await placesOf(scope, id))
  const places = await placesOf(scope, id)
  const grown = row.size - old.size
  const [taken] = await takeContentId(query, { account, used: grown })
  const content = taken!.content_id
  await insertContent(query, {
    account,
    content,
    messages: places.length,
    unsealing: unsealing ?? old.unsealing,
    ...row,
  })
  const page = await addPage(scope, (number) => seal(number, content))
  for (const { mailbox, uid } of places) {
    await pointMessage(query, { account, content, mailbox, uid, size: row.size, page })
    if (grown !== 0) await growMailbox(query, { account, mailbox, size: grown })
  }
  await deleteWaiting(scope, [id])
  await settlePages(scope, [...pagesOf(places), page])
  if (renumbers) await renameEmail(query, { account, content })
  if (cameSealed) await keepSealedNames(scope, cameSealed.names, cameSealed.at)
  await dropContent(query, { account, content: id })
  return { oldFile: old.file, mailboxes: places.map(({ mailbox }) => mailbox) }
}

async function renumber(scope: AccountScope, places: readonly Place[]): Promise<void> {
  for (const [mailbox, of] of Map.groupBy(places, (place) => place.mailbox))
    await moveMessages(scope, { from: mailbox, uids: of.map(({ uid }) => uid), to: mailbox, at: null })
}
