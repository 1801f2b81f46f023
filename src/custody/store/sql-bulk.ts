/** Many contents read together: one statement for each group of them, files side by side. */
import type { Bytes } from '#lib/bytes.ts'
import type { BlobFiles } from './blob-files.ts'
import type { ContentId } from './indexed-mail-store.ts'
import { MessageUnreadable } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'

/** Ids in one statement; when there are fewer, the last one is named again. */
export const GROUP = 64
const PLACES = Array.from({ length: GROUP }, (_, index) => `id${index}`)

export type Ids = Readonly<Record<string, number>>

/** The places of a prepared query's group of ids. */
export function idPlaces(given: Ids): number[] {
  return PLACES.map((place) => given[place]!)
}

/** Values for such places, group after group. */
export function* idGroups(ids: readonly number[]): Generator<Ids> {
  for (let start = 0; start < ids.length; start += GROUP) {
    const last = Math.min(start + GROUP, ids.length) - 1
    yield Object.fromEntries(PLACES.map((place, index) => [place, ids[Math.min(start + index, last)]!]))
  }
}

const contentRows = prepare((query, given: Ids & { account: number }) =>
  query
    .selectFrom('content')
    .select(['content_id as id', 'size', 'file', 'octets'])
    .where('account_id', '=', given.account)
    .where('content_id', 'in', idPlaces(given)),
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
  for (const group of idGroups(ids))
    for (const { id, size, file, octets } of await contentRows(query, { ...group, account }))
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
