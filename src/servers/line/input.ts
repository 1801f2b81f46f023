/** What a client of a line protocol has sent, until it is used: lines are cut out of it, and credentials in it wiped. */
import { wipe } from '#lib/bytes.ts'

/** Octets that came and were not used yet, taken out as lines or as they came. */
export class Input {
  readonly #takesLoneLf: boolean
  readonly #pieces: Buffer[] = []
  #length = 0
  /** How far the first piece is known to have no LF. */
  #searched = 0
  #skipping = false

  /** `takesLoneLf`: a lone LF ends a line as CRLF does. */
  constructor(takesLoneLf = false) {
    this.#takesLoneLf = takesLoneLf
  }

  get length(): number {
    return this.#length
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#length += piece.length
  }

  /** Throws everything away: there may be a credential in it. */
  clear(): void {
    for (const piece of this.#pieces.splice(0)) wipe(piece)
    this.#length = 0
    this.#searched = 0
  }

  /** Puts back what was taken too much. */
  unread(piece: Buffer): void {
    if (piece.length === 0) return
    this.#pieces.unshift(piece)
    this.#length += piece.length
    this.#searched = 0
  }

  /** The next octets as they came, or null. */
  takePiece(): Buffer | null {
    const piece = this.#pieces.shift()
    if (!piece) return null
    this.#length -= piece.length
    this.#searched = 0
    return piece
  }

  /**
   * The next line without its CRLF: a view that its user may wipe. null: not whole yet. A line that is longer than `cap`
   * octets is skipped to its end and costs no memory; one that ends in a lone LF is a line where that is
   * taken, and is none of SMTP (RFC 5321 §2.3.8).
   */
  takeLine(cap: number): Buffer | 'too-long' | 'lone-lf' | null {
    for (;;) {
      const [head, next] = this.#pieces
      if (!head) return null
      const end = head.indexOf(10, this.#searched)
      if (end >= 0) return this.#cut(head, end, cap)
      this.#searched = head.length
      if (this.#skipping || head.length > cap) {
        this.#skipping = true
        this.takePiece()?.fill(0)
      } else if (next) this.#join(head, next)
      else return null
    }
  }

  #cut(head: Buffer, end: number, cap: number): Buffer | 'too-long' | 'lone-lf' {
    if (end + 1 === head.length) this.#pieces.shift()
    else this.#pieces[0] = head.subarray(end + 1)
    this.#length -= end + 1
    this.#searched = 0
    const skipped = this.#skipping
    this.#skipping = false
    if (skipped || end + 1 > cap) return 'too-long'
    if (head[end - 1] === 13) return head.subarray(0, end - 1)
    return this.#takesLoneLf ? head.subarray(0, end) : 'lone-lf'
  }

  /** The halves of a line may hold a credential: they are wiped, so that the line is its only copy. */
  #join(head: Buffer, next: Buffer): void {
    this.#pieces.splice(0, 2, Buffer.concat([head, next]))
    head.fill(0)
    next.fill(0)
  }
}
