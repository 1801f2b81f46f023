import { setImmediate as nextTurn } from 'node:timers/promises'
import { sumsBetween } from './octet-sink.ts'
import { SectionFinder } from './section-finder.ts'
import { BODY, type WholeShard } from './shard.ts'
import { ShardWriter } from './shard-writer.ts'

/** Places written before others get their turn. */
const TURN = 10_000
const GONE = 0xffffffff

/** One shard of several, without the documents that `keep` refuses. */
export async function mergeShards(
  shards: readonly WholeShard[],
  keep: (document: number, shard: number) => boolean,
): Promise<WholeShard> {
  const writer = new ShardWriter()
  const heads: MergeHead[] = []
  for (const [index, shard] of shards.entries()) {
    heads.push(
      new MergeHead(
        shard,
        takeSections(writer, shard, (document) => keep(document, index)),
      ),
    )
    await nextTurn()
  }
  let written = 0
  for (;;) {
    const text = lowest(heads)
    if (text === null) break
    let named = false
    for (const head of heads) {
      if (head.text !== text) continue
      head.eachPlace((place) => {
        if (!named) writer.token(text)
        named = true
        writer.place(place)
        written++
      })
      head.advance()
    }
    written++
    if (written < TURN) continue
    written = 0
    await nextTurn()
  }
  return writer.finish()
}

/** Where the sections of a shard begin in the new one; GONE for those of documents that are left out. */
function takeSections(writer: ShardWriter, { head }: WholeShard, keep: (document: number) => boolean): Uint32Array {
  const { documents, areas, starts, sectionDocuments, sectionAreas } = head
  const moved = new Uint32Array(sectionDocuments.length)
  const newAreas = areas.map((name, area) => (area === BODY ? BODY : writer.area(name)))
  let section = 0
  for (const [index, document] of documents.entries()) {
    const kept = keep(document)
    if (kept) writer.document(document)
    for (; section < moved.length && sectionDocuments[section] === index; section++) {
      const tokens = starts[section + 1]! - starts[section]! - 1
      moved[section] = kept ? writer.section(newAreas[sectionAreas[section]!]!, tokens) : GONE
    }
  }
  return moved
}

function lowest(heads: readonly MergeHead[]): string | null {
  let found: string | null = null
  for (const { text } of heads) if (text !== null && (found === null || text < found)) found = text
  return found
}

/** A shard that is being merged, at one of its tokens. */
class MergeHead {
  /** null: it has no more. */
  text: string | null = null
  readonly #shard: WholeShard
  readonly #moved: Uint32Array
  readonly #sections: SectionFinder
  #token = -1

  constructor(shard: WholeShard, moved: Uint32Array) {
    this.#shard = shard
    this.#moved = moved
    this.#sections = new SectionFinder(shard.head.starts)
    this.advance()
  }

  advance(): void {
    const { vocabulary, tokens } = this.#shard.words
    const token = ++this.#token
    this.text = token < tokens.length - 1 ? vocabulary.toString('utf8', tokens[token]!, tokens[token + 1]! - 1) : null
  }

  /** In the new shard, in order. */
  eachPlace(take: (place: number) => void): void {
    const { places, head } = this.#shard
    const { starts } = head
    const token = this.#token
    let section = 0
    let end = 0
    for (const place of sumsBetween(places.places, places.placeLists[token]!, places.placeLists[token + 1]!)) {
      if (place >= end) {
        section = this.#sections.at(place)
        end = starts[section + 1]!
      }
      const moved = this.#moved[section]!
      if (moved !== GONE) take(moved + place - starts[section]!)
    }
  }
}
