/** Text to octets of old charsets: the platform only decodes them, so each is turned round once. */

const tables = new Map<string, ReadonlyMap<string, Buffer>>()

/** The octets, or null where the charset has not all of the characters. */
export function encodeIn(charset: string, text: string): Buffer | null {
  if (charset === 'utf-8') return Buffer.from(text)
  const table = tables.get(charset) ?? invert(charset)
  tables.set(charset, table)
  const octets = [...text].map((char) => table.get(char))
  return octets.every((one) => one !== undefined) ? Buffer.concat(octets as Buffer[]) : null
}

/** Characters of one octet, and for charsets of East Asia those of two. */
function invert(charset: string): ReadonlyMap<string, Buffer> {
  const decoder = new TextDecoder(charset, { fatal: true })
  const table = new Map<string, Buffer>()
  const learn = (...octets: number[]) => {
    try {
      const char = decoder.decode(Uint8Array.from(octets))
      if ([...char].length === 1 && !table.has(char)) table.set(char, Buffer.from(octets))
    } catch {
      // No character has these octets.
    }
  }
  for (let octet = 0; octet < 256; octet++) learn(octet)
  const wide = ['shift_jis', 'gbk', 'big5', 'euc-kr', 'euc-jp'].includes(charset)
  for (let lead = 0x81; wide && lead < 0xff; lead++) for (let trail = 0x40; trail < 0xff; trail++) learn(lead, trail)
  return table
}
