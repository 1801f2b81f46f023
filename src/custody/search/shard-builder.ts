import { setImmediate as nextTurn } from 'node:timers/promises'
import { BODY, type WholeShard } from './shard.ts'
import { AREAS_LIMIT, ShardWriter } from './shard-writer.ts'
import { eachToken } from './tokens.ts'

/** Folded. */
export interface DocumentTexts {
  readonly fields: readonly { readonly name: string; readonly text: string }[]
  readonly bodies: readonly string[]
}

/** Tokens written before others get their turn. */
const TURN = 4000

/** Gathers the texts of messages and makes a shard of them. */
export class ShardBuilder {
  readonly #writer = new ShardWriter()
  readonly #terms = new Map<string, number[]>()
  #documents = 0
  #next = 0

  get documents(): number {
    return this.#documents
  }

  /** How many tokens there are. */
  get size(): number {
    return this.#next
  }

  /** false: it has more field names than there is room for, and was not taken. */
  add(id: number, { fields, bodies }: DocumentTexts): boolean {
    if (this.#writer.areaCount + fields.length > AREAS_LIMIT) return false
    this.#documents++
    this.#writer.document(id)
    for (const { name, text } of fields) this.#section(this.#writer.area(name), text)
    for (const text of bodies) this.#section(BODY, text)
    return true
  }

  #section(area: number, text: string): void {
    const start = this.#next
    eachToken(text, (token) => {
      const places = this.#terms.get(token)
      if (places) places.push(this.#next)
      else this.#terms.set(token, [this.#next])
      this.#next++
    })
    this.#writer.section(area, this.#next - start)
    this.#next++
  }

  /** Everything that was added. The builder is used up. */
  async finish(): Promise<WholeShard> {
    const texts = [...this.#terms.keys()].sort()
    let written = 0
    for (const text of texts) {
      const places = this.#terms.get(text)!
      this.#writer.token(text)
      for (const place of places) this.#writer.place(place)
      written += places.length
      if (written < TURN) continue
      written = 0
      await nextTurn()
    }
    this.#terms.clear()
    return this.#writer.finish()
  }
}
