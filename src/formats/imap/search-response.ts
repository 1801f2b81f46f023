/** What SEARCH, SORT and THREAD answer (RFC 3501 §7.2.5, RFC 4731 §3.1, RFC 5256 §4, RFC 7162 §3.1.5, RFC 9394 §3.1), without star and line end. */
import type { ThreadNode } from '#formats/message/thread-tree.ts'
import type { PartialRange } from './command.ts'
import { formatSequenceSet, type SequenceSet } from './sequence-set.ts'

/** What is null is not told. */
export interface ExtendedAnswer {
  /** Of the command; null for news that nobody asked for. */
  readonly tag: string | null
  /** Numbers are UIDs. */
  readonly uid: boolean
  readonly min: number | null
  readonly max: number | null
  readonly count: number | null
  readonly all: SequenceSet | null
  /** The places as the client wrote them, and what is there, which may be nothing. */
  readonly partial: { readonly range: PartialRange; readonly found: SequenceSet } | null
  /** RFC 7162 §3.1.5 */
  readonly modseq: number | null
}

export function formatEsearch(answer: ExtendedAnswer): string {
  const told = ['ESEARCH']
  if (answer.tag !== null) told.push(`(TAG "${answer.tag}")`)
  if (answer.uid) told.push('UID')
  if (answer.min !== null) told.push(`MIN ${answer.min}`)
  if (answer.max !== null) told.push(`MAX ${answer.max}`)
  if (answer.count !== null) told.push(`COUNT ${answer.count}`)
  if (answer.all?.length) told.push(`ALL ${formatSequenceSet(answer.all)}`)
  if (answer.partial) {
    const { range, found } = answer.partial
    // RFC 9394 §3.1: NIL when nothing is there.
    told.push(`PARTIAL (${range.first}:${range.last} ${found.length > 0 ? formatSequenceSet(found) : 'NIL'})`)
  }
  if (answer.modseq !== null) told.push(`MODSEQ ${answer.modseq}`)
  return told.join(' ')
}

/** SEARCH or SORT; `modseq` is told of what was found, so not with nothing. */
export function formatNumbers(verb: 'SEARCH' | 'SORT', numbers: readonly number[], modseq: number | null): string {
  const told = numbers.length > 0 ? `${verb} ${numbers.join(' ')}` : verb
  return modseq === null || numbers.length === 0 ? told : `${told} (MODSEQ ${modseq})`
}

/** RFC 5256 §4: a line of descent is flat, siblings stand in parentheses of their own. Not recursive: threads may be deep. */
export function formatThreads(threads: readonly ThreadNode[]): string {
  let told = 'THREAD'
  const open: (ThreadNode | ')')[] = [...threads].reverse()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === ')') {
      told += ')'
      continue
    }
    told += told === 'THREAD' ? ' (' : '('
    let node = next
    if (node.message) told += node.message.number
    while (node.children.length === 1) {
      node = node.children[0]!
      told += ` ${node.message!.number}`
    }
    if (node.children.length > 0 && node.message) told += ' '
    open.push(')')
    for (let at = node.children.length - 1; at >= 0; at--) open.push(node.children[at]!)
  }
  return told
}
