/** Many contents read together: one statement for each group of them, files side by side. */
import type { Compilable } from 'kysely'
import type { Bytes } from '#lib/bytes.ts'
import type { BlobFiles } from './blob-files.ts'
import type { ContentId } from './indexed-mail-store.ts'
import { MessageUnreadable } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope, StoreQuery } from './schema.ts'

/** Ids in one statement; when there are fewer than its size, the last one is named again. */
const SIZES = [1, 8, 64]
const PLACES = Array.from({ length: 64 }, (_, index) => `id${index}`)

type Ids = Readonly<Record<string, number>>

/** A query about many ids, prepared for groups of several sizes; what it answers for each group, together. */
export function prepareForIds<P extends object, R>(
  build: (query: StoreQuery, given: P, ids: number[]) => Compilable<R>,
): (query: StoreQuery, values: P, ids: readonly number[]) => Promise<R[]> {
  const variants = SIZES.map((size) => ({
    size,
    run: prepare((query, given: P & Ids) => {
      const places = PLACES.slice(0, size).map((place) => (given as Ids)[place]!)
      return build(query, given, places)
    }),
  }))
  const largest = variants.at(-1)!
  return async (query, values, ids) => {
    const rows: R[] = []
    for (let start = 0; start < ids.length; start += largest.size) {
      const last = Math.min(start + largest.size, ids.length) - 1
      const { size, run } = variants.find((one) => start + one.size > last) ?? largest
      const given: Record<string, number> = {}
      for (let index = 0; index < size; index++) given[PLACES[index]!] = ids[Math.min(start + index, last)]!
      for (const row of await run(query, { ...values, ...given } as P & Ids)) rows.push(row)
    }
    return rows
  }
}

const contentRows = prepareForIds((query, given: { account: number }, ids) =>
  query
    .selectFrom('content')
    .select(['content_id as id', 'size', 'file', 'octets'])
    .where('account_id', '=', given.account)
    .where('content_id', 'in', ids),
)

interface InFile {
  readonly id: ContentId
  readonly file: string
  readonly size: number
}

export interface FoundContents {
  readonly inline: ReadonlyMap<ContentId, Bytes>
  readonly inFiles: readonly InFile[]
}

export async function findContents(
  { query, account }: AccountScope,
  ids: readonly ContentId[],
): Promise<FoundContents> {
  const inline = new Map<ContentId, Bytes>()
  const inFiles: InFile[] = []
  for (const { id, size, file, octets } of await contentRows(query, { account }, ids))
    if (octets) inline.set(id, octets)
    else inFiles.push({ id, size, file: file! })
  return { inline, inFiles }
}

/** The error is of a file that is gone or has another size. */
export async function readFiles(
  blobs: BlobFiles,
  { inline, inFiles }: FoundContents,
): Promise<Map<ContentId, Bytes | MessageUnreadable>> {
  const found = new Map<ContentId, Bytes | MessageUnreadable>(inline)
  const read = async ({ id, file, size }: InFile) => {
    const octets = await blobs.read(file, size).catch((error) => {
      if (error instanceof MessageUnreadable) return error
      throw error
    })
    found.set(id, octets)
  }
  await Promise.all(inFiles.map(read))
  return found
}
