/** What the index is made of: its shards, which messages it covers, and which of those are in no shard. */
import type { Bytes } from '#lib/bytes.ts'
import type { Run } from './id-runs.ts'

export const MANIFEST = 'manifest'

export interface ShardRow {
  readonly id: string
  readonly documents: number
  /** Ids of its messages are between these. */
  readonly first: number
  readonly last: number
  /** In memory. */
  readonly octets: number
}

export interface Manifest {
  readonly shards: readonly ShardRow[]
  readonly covered: readonly Run[]
  /** Cannot be read with the keys of so many generations, and match nothing. */
  readonly unreadable: readonly number[]
  readonly generations: number
  /** Too large to be indexed: looked at each time. */
  readonly large: readonly number[]
}

export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(JSON.stringify(manifest))
}

/** What this program wrote and sealed itself. */
export function decodeManifest(octets: Bytes): Manifest {
  return JSON.parse(Buffer.from(octets).toString()) as Manifest
}
