/** A SEARCH key as a tree whose leaves are answered a page of messages at a time, the cheap ones first. */
import type { SearchKey } from '#formats/imap/search-key.ts'
import type { TextQuery } from '#formats/message/message-text.ts'
import { no } from '../imap-error.ts'
import { join, openTruths, opposite, type Truths } from './truths.ts'

/** What answers a leaf, the cheapest first: numbers that the session has, columns of the store, the index of texts, summaries. */
export type Source = 'numbers' | 'rows' | 'facts' | 'texts' | 'summaries'

type Joined = 'and' | 'or' | 'not'
export type LeafKey = Exclude<SearchKey, { kind: Joined }>

export interface Leaf {
  readonly key: LeafKey
  readonly source: Source
  /** Of the page that is looked at. */
  truths: Truths
}

export interface TextLeaf extends Leaf {
  readonly query: TextQuery
}

type Node =
  | { readonly kind: 'leaf'; readonly leaf: Leaf }
  | { readonly kind: 'not'; readonly member: Node }
  | { readonly kind: 'and' | 'or'; readonly members: readonly Node[] }

const MOST_KEYS = 5_000
/** Different ones. */
const MOST_TEXTS = 200

export class SearchPlan {
  readonly leaves: Leaf[] = []
  readonly texts: TextLeaf[] = []
  readonly #root: Node
  #keys = 0

  /** Throws NO for a search beyond reason. */
  constructor(key: SearchKey) {
    this.#root = this.#plan(key)
  }

  /** How many keys there are to judge a message by: as many as the client wrote. */
  get keys(): number {
    return this.#keys
  }

  from(source: Source): readonly Leaf[] {
    return this.leaves.filter((leaf) => leaf.source === source)
  }

  /** A page of so many messages, of which nothing is known. */
  turnTo(size: number): void {
    for (const leaf of this.leaves) leaf.truths = openTruths(size)
  }

  /** What the leaves say together of the messages of the page. */
  judge(): Truths {
    return judge(this.#root)
  }

  /** The tree is as deep as SEARCH_DEPTH at most. */
  #plan(key: SearchKey): Node {
    if (++this.#keys > MOST_KEYS) throw tooMany()
    switch (key.kind) {
      case 'not':
        return { kind: 'not', member: this.#plan(key.key) }
      case 'and':
      case 'or':
        return { kind: key.kind, members: key.keys.map((member) => this.#plan(member)) }
      case 'header':
      case 'body':
      case 'text':
        return { kind: 'leaf', leaf: this.#textLeaf(key) }
      default: {
        const leaf = { key, source: sourceOf(key), truths: openTruths(0) }
        this.leaves.push(leaf)
        return { kind: 'leaf', leaf }
      }
    }
  }

  /** The same words in several places of a search are looked for once. */
  #textLeaf(key: LeafKey & { kind: 'header' | 'body' | 'text' }): TextLeaf {
    const query = { where: key.kind, field: key.kind === 'header' ? key.field : null, text: key.text }
    const known = this.texts.find(
      ({ query: { where, field, text } }) => where === query.where && field === query.field && text === query.text,
    )
    if (known) return known
    const leaf: TextLeaf = { key, source: 'texts', query, truths: openTruths(0) }
    this.leaves.push(leaf)
    if (this.texts.push(leaf) > MOST_TEXTS) throw tooMany()
    return leaf
  }
}

const tooMany = () => no('LIMIT', 'This search has too many keys')

function sourceOf(key: LeafKey): Source {
  switch (key.kind) {
    case 'all':
    case 'sequence':
    case 'uid':
    case 'saveDateSupported':
      return 'numbers'
    case 'flag':
      return key.flag.toLowerCase() === '\\recent' ? 'numbers' : 'rows'
    case 'date':
      return key.of === 'internal' ? 'rows' : 'summaries'
    case 'age':
    case 'modseq':
    case 'size':
      return 'rows'
    case 'savedDate':
      return 'facts'
    case 'objectId':
      return key.of === 'email' ? 'facts' : 'summaries'
    case 'header':
    case 'body':
    case 'text':
      return 'texts'
  }
}

function judge(node: Node): Truths {
  if (node.kind === 'leaf') return node.leaf.truths
  if (node.kind === 'not') return opposite(judge(node.member))
  const [first, ...others] = node.members
  const truths = judge(first!).slice()
  for (const member of others) join(node.kind, truths, judge(member))
  return truths
}
