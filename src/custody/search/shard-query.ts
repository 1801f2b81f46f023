/** What one shard answers to one question: exactly which of its documents match. */
import type { TextQuery } from '#formats/message/message-text.ts'
import { PhraseSearch } from './phrase-search.ts'
import { BODY, type SearchedShard, type ShardHead } from './shard.ts'
import { wantedTokens } from './tokens.ts'
import { markSections, termsFitting } from './vocabulary.ts'

/** A query whose text is folded. */
export interface FoldedQuery extends TextQuery {
  readonly folded: string
}

/** Sets 1 for each document that matches. */
export async function markMatching(shard: SearchedShard, query: FoldedQuery, marks: Uint8Array): Promise<void> {
  const { where, field, folded } = query
  const { areas } = shard.head
  if (folded === '' && where !== 'header') {
    marks.fill(1)
    return
  }
  if (where === 'header')
    return markIn(
      shard,
      maskOf(areas, (name, area) => area !== BODY && name === field),
      folded,
      marks,
    )
  if (where === 'body')
    return markIn(
      shard,
      maskOf(areas, (_, area) => area === BODY),
      folded,
      marks,
    )
  await markIn(
    shard,
    maskOf(areas, () => true),
    folded,
    marks,
  )
  await markLabels(shard, folded, marks)
}

/** Of each area whether it counts; null: none does. */
type AreaMask = Uint8Array | null

function maskOf(areas: readonly string[], counts: (name: string, area: number) => boolean): AreaMask {
  const mask = Uint8Array.from(areas, (name, area) => (counts(name, area) ? 1 : 0))
  return mask.includes(1) ? mask : null
}

async function markIn(shard: SearchedShard, mask: AreaMask, folded: string, marks: Uint8Array): Promise<void> {
  if (!mask) return
  if (folded === '') {
    markAreas(shard.head, mask, marks)
    return
  }
  const wanted = wantedTokens(folded)
  if (wanted.length > 1) return new PhraseSearch(shard, mask, wanted).mark(marks)
  const lacking = { left: marks.reduce((left, mark) => left + (mark ? 0 : 1), 0) }
  for (const term of termsFitting(shard.words, wanted[0]!)) {
    markSections(shard, term, mask, marks, lacking)
    if (lacking.left === 0) return
  }
}

function markAreas({ sectionAreas, sectionDocuments }: ShardHead, mask: Uint8Array, marks: Uint8Array): void {
  for (let section = 0; section < sectionAreas.length; section++)
    if (mask[sectionAreas[section]!]) marks[sectionDocuments[section]!] = 1
}

/** TEXT looks at `name: text` of each field: also what lies in the name, or begins there. */
async function markLabels(shard: SearchedShard, folded: string, marks: Uint8Array): Promise<void> {
  const { head } = shard
  const labelled = (fits: (label: string) => boolean) =>
    maskOf(head.areas, (name, area) => area !== BODY && fits(`${name}: `))
  const within = labelled((label) => label.includes(folded))
  if (within) markAreas(head, within, marks)
  const colon = folded.indexOf(': ')
  for (const length of [folded.startsWith(' ') ? 1 : 0, colon < 0 ? 0 : colon + 2]) {
    const rest = folded.slice(length)
    const mask = length > 0 && rest !== '' ? labelled((label) => label.endsWith(folded.slice(0, length))) : null
    if (mask) await new PhraseSearch(shard, mask, wantedTokens(rest, true), true).mark(marks)
  }
}
