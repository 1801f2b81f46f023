/**
 * What is known of a page of messages, in three values (Kleene's logic): OPEN is "not with what is at hand". The values are so
 * ordered that AND is the least of them, OR the greatest, and NOT the distance from YES.
 */
export type Truths = Uint8Array

export const NO = 0
export const OPEN = 1
export const YES = 2

export const openTruths = (size: number): Truths => new Uint8Array(size).fill(OPEN)

export function opposite(truths: Truths): Truths {
  return truths.map((truth) => YES - truth)
}

/** Changes `truths`. */
export function join(kind: 'and' | 'or', truths: Truths, others: Truths): void {
  for (let place = 0; place < truths.length; place++) {
    const other = others[place]!
    if (kind === 'and' ? other < truths[place]! : other > truths[place]!) truths[place] = other
  }
}
