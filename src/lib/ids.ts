import { randomOctets } from './random.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** A random name of `length` characters, 5 bits each, safe in file names, headers and URLs. */
export function randomId(length: number): string {
  let id = ''
  for (const byte of randomOctets(length)) id += ALPHABET[byte & 31]
  return id
}
