/**
 * The messages that benchmarks deliver: the same every time, sizes spread as in real mailboxes (many of a few kB, few of some hundred),
 * 34,000 octets on average. Text and base64 with line ends as on the wire.
 */

export const meanSize = 34_000
const count = 400
const smallest = 2_000
const largest = 500_000

/** A small seeded generator; numbers from 0 to 1. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Log-normal between the bounds, then scaled so that the mean is exact to the octet. */
function sizes(random: () => number): number[] {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const bounded = (size: number) => Math.round(Math.min(largest, Math.max(smallest, size)))
  const raw = Array.from({ length: count }, () => Math.exp(1.2 * normal()))
  // Bisection on the scale: bounds make the mean a little less than proportional.
  let [low, high] = [0, 10 * meanSize]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    const mean = raw.reduce((sum, size) => sum + bounded(size * middle), 0) / count
    if (mean < meanSize) low = middle
    else high = middle
  }
  const scaled = raw.map((size) => bounded(size * low))
  scaled[0] = scaled[0]! + meanSize * count - scaled.reduce((sum, size) => sum + size, 0)
  return scaled
}

const words =
  'letter seal lock paper wax ring desk post road rider morning answer friend market garden river window'.split(' ')

function composed(index: number, size: number, random: () => number): Buffer {
  const boundary = `=_corpus_${index}`
  const head = [
    `From: Author ${index % 50} <author${index % 50}@corpus.test>`,
    'To: Reader <reader@corpus.test>',
    `Subject: ${Array.from({ length: 6 }, () => words[Math.floor(random() * words.length)]).join(' ')}`,
    'Date: Sun, 22 Nov 2026 07:00:00 +0000',
    `Message-ID: <corpus-${index}@corpus.test>`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=utf-8',
    '',
  ]
  for (let line = 0; line < 12; line++) {
    head.push(Array.from({ length: 9 }, () => words[Math.floor(random() * words.length)]).join(' '))
  }
  head.push(`--${boundary}`, 'Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64', '', '')
  const start = head.join('\r\n')
  const end = `\r\n--${boundary}--\r\n`
  return Buffer.from(start + base64(size - start.length - end.length, random) + end, 'latin1')
}

/** Exactly `length` octets of base64 in lines of 76. */
function base64(length: number, random: () => number): string {
  const raw = Buffer.alloc(Math.ceil(length * 0.75) + 4)
  for (let at = 0; at + 4 <= raw.length; at += 4) raw.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  const text = raw.toString('base64').replace(/.{76}/g, '$&\r\n').slice(0, length)
  // A CRLF cut in half would be a bare CR.
  return text.endsWith('\r') ? `${text.slice(0, -1)}=` : text
}

/** All messages, in one fixed order. */
export function corpus(): Buffer[] {
  const random = seeded(20_261_122)
  return sizes(random).map((size, index) => composed(index, size, random))
}

/** Which message of the corpus this is, by its Message-ID; null when it is none. */
export function corpusIndex(message: Buffer): number | null {
  const found = /<corpus-(\d+)@corpus\.test>/.exec(message.subarray(0, 8192).toString('latin1'))
  return found === null ? null : Number(found[1])
}
