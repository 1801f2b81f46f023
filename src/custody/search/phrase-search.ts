import { sumsBetween } from './octet-sink.ts'
import { type SearchedShard, type ShardPlaces, sectionAt } from './shard.ts'
import { isWord, type WantedToken } from './tokens.ts'
import { markSections, termsFitting } from './vocabulary.ts'

interface Asked extends WantedToken {
  /** Its place from the first one on. */
  readonly offset: number
  /** null: any word. */
  readonly terms: readonly number[] | null
}

/** Looks for tokens in a row. The rarest gives the candidates; what the others have in their places decides. */
export class PhraseSearch {
  readonly #shard: SearchedShard
  readonly #mask: Uint8Array
  readonly #wanted: readonly WantedToken[]
  readonly #anchored: boolean

  /** `anchored`: the row begins where a section begins. */
  constructor(shard: SearchedShard, mask: Uint8Array, wanted: readonly WantedToken[], anchored = false) {
    this.#shard = shard
    this.#mask = mask
    this.#wanted = wanted
    this.#anchored = anchored
  }

  async mark(marks: Uint8Array): Promise<void> {
    const asked = this.#wanted.map((one, offset) => ({
      ...one,
      offset,
      terms: one.fit === 'any' ? null : [...termsFitting(this.#shard.words, one)],
    }))
    const possible = this.#possible(asked)
    if (!possible.some((may, document) => may && !marks[document])) return
    const places = await this.#shard.places()
    const rarestFirst = asked.toSorted((a, b) => costOf(places, a) - costOf(places, b))
    const [first, ...others] = rarestFirst
    if (!first!.terms) {
      this.#markBlanks(places, marks)
      return
    }
    let candidates = startsOf(places, first!)
    for (const other of others) {
      if (candidates.length === 0) return
      candidates = this.#narrowed(candidates, places, other)
    }
    this.#take(candidates, asked.length, possible, marks)
  }

  /** Documents that have all tokens somewhere. */
  #possible(asked: readonly Asked[]): Uint8Array {
    const { documents } = this.#shard.head
    const possible = new Uint8Array(documents.length).fill(1)
    for (const { terms } of asked) {
      if (!terms) continue
      const having = new Uint8Array(documents.length)
      const lacking = { left: documents.length }
      for (const term of terms) {
        markSections(this.#shard, term, this.#mask, having, lacking)
        if (lacking.left === 0) break
      }
      for (let document = 0; document < possible.length; document++) possible[document]! &= having[document]!
    }
    return possible
  }

  #narrowed(candidates: Uint32Array, places: ShardPlaces, { terms, offset }: Asked): Uint32Array {
    const there = terms ? this.#bitsOf(places, terms) : this.#wordBits(places)
    let kept = 0
    for (const start of candidates) {
      const place = start + offset
      if ((there[place >>> 3]! >>> (place & 7)) & 1) candidates[kept++] = start
    }
    return candidates.subarray(0, kept)
  }

  #bits(): Uint8Array {
    const { starts } = this.#shard.head
    // Room for all places after the last section that a candidate there may ask for.
    return new Uint8Array((starts[starts.length - 1]! >>> 3) + 1)
  }

  #bitsOf({ places, placeLists }: ShardPlaces, terms: readonly number[]): Uint8Array {
    const bits = this.#bits()
    for (const term of terms)
      for (const place of sumsBetween(places, placeLists[term]!, placeLists[term + 1]!))
        bits[place >>> 3]! |= 1 << (place & 7)
    return bits
  }

  /** Where words are: everywhere but between sections and where other tokens are. */
  #wordBits({ places, placeLists }: ShardPlaces): Uint8Array {
    const { starts } = this.#shard.head
    const bits = this.#bits().fill(255)
    const clear = (place: number) => {
      bits[place >>> 3]! &= ~(1 << (place & 7))
    }
    for (let section = 1; section < starts.length; section++) clear(starts[section]! - 1)
    const { vocabulary, tokens } = this.#shard.words
    for (let term = 0; term < tokens.length - 1; term++) {
      const length = tokens[term + 1]! - 1 - tokens[term]!
      // Tokens that are no words are single characters.
      if (length === 0 || length > 4 || isWord(vocabulary.toString('utf8', tokens[term]!, tokens[term + 1]! - 1)))
        continue
      for (const place of sumsBetween(places, placeLists[term]!, placeLists[term + 1]!)) clear(place)
    }
    return bits
  }

  /** Only blanks are wanted, and only one of them: two words beside each other, whichever they are. */
  #markBlanks(places: ShardPlaces, marks: Uint8Array): void {
    const { starts, sectionAreas, sectionDocuments } = this.#shard.head
    const words = this.#wordBits(places)
    const isWordAt = (place: number) => (words[place >>> 3]! >>> (place & 7)) & 1
    for (let section = 0; section < sectionAreas.length; section++) {
      const document = sectionDocuments[section]!
      if (!this.#mask[sectionAreas[section]!]) continue
      for (let place = starts[section]!; !marks[document] && place + 2 < starts[section + 1]!; place++)
        if (isWordAt(place) && isWordAt(place + 1)) marks[document] = 1
    }
  }

  #take(candidates: Uint32Array, length: number, possible: Uint8Array, marks: Uint8Array): void {
    const { starts, sectionAreas, sectionDocuments } = this.#shard.head
    for (const start of candidates) {
      const section = sectionAt(starts, start)
      const document = sectionDocuments[section]!
      if (marks[document] || !possible[document] || !this.#mask[sectionAreas[section]!]) continue
      if (this.#anchored ? starts[section] !== start : start + length >= starts[section + 1]!) continue
      marks[document] = 1
    }
  }
}

/** Octets of the lists: no list has more places than octets. */
function costOf({ placeLists }: ShardPlaces, { terms }: Asked): number {
  if (!terms) return Number.POSITIVE_INFINITY
  return terms.reduce((sum, term) => sum + placeLists[term + 1]! - placeLists[term]!, 0)
}

/** Where the row would begin that has this token in its place. */
function startsOf(lists: ShardPlaces, asked: Asked): Uint32Array {
  const starts = new Uint32Array(costOf(lists, asked))
  let count = 0
  for (const term of asked.terms!)
    for (const place of sumsBetween(lists.places, lists.placeLists[term]!, lists.placeLists[term + 1]!))
      if (place >= asked.offset) starts[count++] = place - asked.offset
  return starts.subarray(0, count)
}
