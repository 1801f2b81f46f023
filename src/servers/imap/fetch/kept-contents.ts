/**
 * Contents of messages that clients read piece by piece (`BODY[]<0.65536>`, `<65536.65536>`, ...): opened once, not once per
 * piece. One for each selected mailbox, until another command comes; all of them together are bounded.
 */
import type { Uid } from '#custody/store/mail-store.ts'

/** Opening a smaller one again costs next to nothing. */
const WORTH_KEEPING = 64 * 1024

export class KeptContents {
  readonly #most: number
  /** By whoever reads; the one kept longest first. */
  readonly #kept = new Map<object, { readonly uid: Uid; readonly content: Buffer }>()
  #octets = 0

  /** `most`: octets of all together. */
  constructor(most: number) {
    this.#most = most
  }

  find(reader: object, uid: Uid): Buffer | null {
    const kept = this.#kept.get(reader)
    return kept?.uid === uid ? kept.content : null
  }

  keep(reader: object, uid: Uid, content: Buffer): void {
    if (this.find(reader, uid)) return
    this.drop(reader)
    if (content.length < WORTH_KEEPING || content.length > this.#most) return
    this.#kept.set(reader, { uid, content })
    this.#octets += content.length
    for (const longest of this.#kept.keys()) {
      if (this.#octets <= this.#most) return
      this.drop(longest)
    }
  }

  drop(reader: object): void {
    this.#octets -= this.#kept.get(reader)?.content.length ?? 0
    this.#kept.delete(reader)
  }
}
