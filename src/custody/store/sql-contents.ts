import type { Bytes } from '#lib/bytes.ts'
import { BrokenDatabase } from '#lib/sqlite.ts'
import type {
  ContentId,
  ContentReplacement,
  Contents,
  ContentTally,
  IndexedParts,
  Place,
  StoredContent,
} from './indexed-mail-store.ts'
import { MessageUnreadable } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import type { SqlAccess } from './sql-access.ts'
import { INLINE_OCTETS } from './sql-append.ts'
import { insertContent } from './sql-messages.ts'
import { putRecord, readParts } from './sql-parts.ts'

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
    .select(['size', 'file'])
    .where('account_id', '=', given.account)
    .where('content_id', '=', given.content),
)
const sharers = prepare((query, given: One & { limit: number }) =>
  query
    .selectFrom('message')
    .select(['mailbox_id as mailbox', 'uid'])
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
const pointMessage = prepare((query, given: One & { mailbox: number; uid: number; size: number }) =>
  query
    .updateTable('message')
    .set({ content_id: given.content, size: given.size })
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
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

  constructor(access: SqlAccess) {
    this.#access = access
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

  example(id: ContentId): Promise<(IndexedParts & Place) | null> {
    return this.#access.read(async (scope) => {
      const [place] = await sharers(scope.query, { account: scope.account, content: id, limit: 1 })
      if (!place) return null
      const [parts] = await readParts(scope, place.mailbox, [place.uid])
      return parts ? { ...place, ...parts } : null
    })
  }

  /** The new file is on the disk before the row that names it, the old one is removed after the row that named it. */
  async replace(id: ContentId, { octets, sealedTo, record }: ContentReplacement): Promise<boolean> {
    return this.#access.use(async ({ db, account, blobs }) => {
      const file = octets.byteLength > INLINE_OCTETS ? await blobs.write(octets) : null
      const row = { size: octets.byteLength, octets: file === null ? octets : null, file, sealedTo }
      const replaced = await db
        .write((query) => exchange({ query, account }, id, row, record))
        .catch(async (error) => {
          // After a failed sync nobody knows which row counts: both files stay, and the one that none names is swept later.
          if (file !== null && !(error instanceof BrokenDatabase)) await blobs.remove([file])
          throw error
        })
      const unneeded = replaced ? replaced.oldFile : file
      if (unneeded !== null) await blobs.remove([unneeded])
      return replaced !== null
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

/** Inside a transaction. null: the content is gone. */
async function exchange(
  { query, account }: AccountScope,
  id: ContentId,
  row: NewContent,
  record: ContentReplacement['record'],
): Promise<{ readonly oldFile: string | null } | null> {
  const [old] = await contentFile(query, { account, content: id })
  if (!old) return null
  const places = await sharers(query, { account, content: id, limit: Number.MAX_SAFE_INTEGER })
  const grown = row.size - old.size
  const [taken] = await takeContentId(query, { account, used: grown })
  const content = taken!.content_id
  await insertContent(query, { account, content, messages: places.length, ...row })
  for (const { mailbox, uid } of places) {
    await pointMessage(query, { account, content, mailbox, uid, size: row.size })
    if (grown !== 0) await growMailbox(query, { account, mailbox, size: grown })
    await putRecord({ query, account }, mailbox, uid, record({ mailbox, uid }))
  }
  await dropContent(query, { account, content: id })
  return { oldFile: old.file }
}
