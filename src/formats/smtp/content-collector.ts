/** Pieces below this are gathered, so that a peer which sends octet by octet does not cost an object for each. */
const SMALL = 2048
const BLOCK = 16_384

/** Gathers content: big pieces as they are, small ones in blocks. */
export class ContentCollector {
  #pieces: Buffer[] = []
  #block: Buffer = Buffer.alloc(0)
  #used = 0
  #size = 0
  #last = -1

  get size(): number {
    return this.#size
  }

  /** The last octet, -1 when there is none. */
  get last(): number {
    return this.#last
  }

  /** Keeps the piece; it must not be written to afterwards. */
  add(piece: Buffer): void {
    if (piece.length === 0) return
    this.#size += piece.length
    this.#last = piece[piece.length - 1]!
    if (piece.length >= SMALL || this.#size === piece.length) {
      this.#closeBlock()
      this.#pieces.push(piece)
      return
    }
    if (this.#used + piece.length > this.#block.length) {
      this.#closeBlock()
      this.#block = Buffer.allocUnsafeSlow(BLOCK)
    }
    piece.copy(this.#block, this.#used)
    this.#used += piece.length
  }

  #closeBlock(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }

  clear(): void {
    this.#pieces = []
    this.#block = Buffer.alloc(0)
    this.#used = 0
    this.#size = 0
    this.#last = -1
  }

  /** Everything in one piece; nothing is left here. */
  take(): Buffer {
    this.#closeBlock()
    const [only] = this.#pieces
    const content = this.#pieces.length === 1 ? only! : Buffer.concat(this.#pieces, this.#size)
    this.clear()
    return content
  }
}
