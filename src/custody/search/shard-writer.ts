import { OctetSink } from './octet-sink.ts'
import { SectionFinder } from './section-finder.ts'
import type { WholeShard } from './shard.ts'

/** Field names in one shard; a message that would bring more is not indexed. */
export const AREAS_LIMIT = 65_000

class NumberList {
  #numbers = new Uint32Array(256)
  length = 0

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const grown = new Uint32Array(2 * this.length)
      grown.set(this.#numbers)
      this.#numbers = grown
    }
    this.#numbers[this.length++] = value
  }

  at(index: number): number {
    return this.#numbers[index]!
  }

  take(): Uint32Array {
    return this.#numbers.slice(0, this.length)
  }
}

/** Writes a shard: first all sections, then all tokens in the order of their text, each with its places in order. */
export class ShardWriter {
  readonly #documents: number[] = []
  readonly #areas = new Map<string, number>()
  readonly #areaNames = ['']
  readonly #starts = new NumberList()
  readonly #owners = new NumberList()
  readonly #sectionAreas = new NumberList()
  readonly #vocabulary = new OctetSink()
  readonly #tokens = new NumberList()
  readonly #sections = new OctetSink()
  readonly #sectionLists = new NumberList()
  readonly #places = new OctetSink()
  readonly #placeLists = new NumberList()
  /** Where the next section begins. */
  #end = 0
  #allStarts: Uint32Array | null = null
  #finder: SectionFinder | null = null
  #lastPlace = 0
  #lastSection = 0
  /** Of the last section. */
  #lastEnd = 0
  #sectionSum = 0

  get areaCount(): number {
    return this.#areaNames.length
  }

  document(id: number): void {
    this.#documents.push(id)
  }

  /** The area of a field name. */
  area(name: string): number {
    let area = this.#areas.get(name)
    if (area === undefined) {
      area = this.#areaNames.push(name) - 1
      this.#areas.set(name, area)
    }
    return area
  }

  /** Of the document named last. Answers where it begins. */
  section(area: number, tokens: number): number {
    const start = this.#end
    this.#starts.push(start)
    this.#owners.push(this.#documents.length - 1)
    this.#sectionAreas.push(area)
    this.#end += tokens + 1
    return start
  }

  token(text: string): void {
    if (!this.#allStarts) {
      this.#starts.push(this.#end)
      this.#allStarts = this.#starts.take()
      this.#finder = new SectionFinder(this.#allStarts)
    }
    this.#vocabulary.text('\0')
    this.#tokens.push(this.#vocabulary.length)
    this.#vocabulary.text(text)
    this.#sectionLists.push(this.#sections.length)
    this.#placeLists.push(this.#places.length)
    this.#lastPlace = 0
    this.#lastEnd = 0
    this.#sectionSum = 0
  }

  /** Of the token named last. */
  place(place: number): void {
    this.#places.number(place - this.#lastPlace)
    this.#lastPlace = place
    if (place < this.#lastEnd) return
    this.#lastSection = this.#finder!.at(place)
    this.#lastEnd = this.#allStarts![this.#lastSection + 1]!
    this.#sections.number(this.#lastSection - this.#sectionSum)
    this.#sectionSum = this.#lastSection
  }

  finish(): WholeShard {
    if (!this.#allStarts) this.#starts.push(this.#end)
    this.#vocabulary.text('\0')
    this.#tokens.push(this.#vocabulary.length)
    this.#sectionLists.push(this.#sections.length)
    this.#placeLists.push(this.#places.length)
    return {
      head: {
        documents: Float64Array.from(this.#documents),
        areas: this.#areaNames,
        starts: this.#allStarts ?? this.#starts.take(),
        sectionDocuments: this.#owners.take(),
        sectionAreas: Uint16Array.from(this.#sectionAreas.take()),
      },
      words: {
        vocabulary: this.#vocabulary.take(),
        tokens: this.#tokens.take(),
        sections: this.#sections.take(),
        sectionLists: this.#sectionLists.take(),
      },
      places: { places: this.#places.take(), placeLists: this.#placeLists.take() },
    }
  }
}
