/** z-base-32, the alphabet that people mistake least; Web Key Directories name their files in it. */
const ALPHABET = 'ybndrfg8ejkmcpqxot1uwisza345h769'

/** Five bits per character, the last one filled with zeros. */
export function zbase32(octets: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const octet of octets) {
    bits = ((bits << 8) | octet) & 0xfff
    held += 8
    for (; held >= 5; held -= 5) text += ALPHABET[(bits >> (held - 5)) & 31]
  }
  return held === 0 ? text : text + ALPHABET[(bits << (5 - held)) & 31]
}
