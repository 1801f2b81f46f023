const BLOCK_BITS = 5

/** Finds the section in which a place is, for many places: of every 32nd place it is written down. */
export class SectionFinder {
  readonly #starts: Uint32Array
  readonly #ofBlocks: Uint32Array

  /** Where each section begins, ascending, and last where the next one would. */
  constructor(starts: Uint32Array) {
    this.#starts = starts
    const blocks = (starts[starts.length - 1]! >>> BLOCK_BITS) + 1
    this.#ofBlocks = new Uint32Array(blocks)
    let section = 0
    for (let block = 0; block < blocks; block++) {
      while (section < starts.length - 2 && starts[section + 1]! <= block << BLOCK_BITS) section++
      this.#ofBlocks[block] = section
    }
  }

  at(place: number): number {
    let section = this.#ofBlocks[place >>> BLOCK_BITS]!
    while (this.#starts[section + 1]! <= place) section++
    return section
  }
}
