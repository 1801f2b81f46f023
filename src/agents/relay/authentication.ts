/** AUTH with a smarthost (RFC 4954): PLAIN, or LOGIN where nothing else is offered. The password stays octets and is wiped. */
import { readFile } from 'node:fs/promises'
import { isPositive, type Reply, reply } from '#formats/smtp/reply.ts'
import { wipe } from '#lib/bytes.ts'
import type { SmtpClient } from './smtp-client.ts'

export interface Credentials {
  readonly user: string
  /** The first line of this file, read anew each time, so that it can be changed while the server runs. */
  readonly passwordFile: string
}

/** A configuration mistake at the smarthost must not bounce mail: whatever goes wrong here, mail waits. */
type Refused = { readonly kind: 'unreachable'; readonly why: Reply }

const refused = (words: string): Refused => ({ kind: 'unreachable', why: reply(451, '4.7.8', words) })

/** null when the smarthost let us in. Must only be called inside TLS. */
export async function authenticate(
  client: SmtpClient,
  keywords: ReadonlyMap<string, string>,
  { user, passwordFile }: Credentials,
  timeout: number,
): Promise<Refused | null> {
  if (!client.tls) return refused('no login at the smarthost without TLS')
  const mechanisms = (keywords.get('AUTH') ?? '').toUpperCase().split(' ')
  const mechanism = ['PLAIN', 'LOGIN'].find((one) => mechanisms.includes(one))
  if (!mechanism) return refused('the smarthost offers no known way to log in')
  const password = await readPassword(passwordFile)
  if (!password) return refused('the password file for the smarthost cannot be read')
  const name = Buffer.from(user)
  const nul = Buffer.alloc(1)
  // RFC 4616 §2: authzid NUL authcid NUL passwd
  const secrets = mechanism === 'PLAIN' ? [Buffer.concat([nul, name, nul, password])] : [name, password]
  try {
    return await exchange(client, mechanism, secrets, timeout)
  } finally {
    for (const secret of [...secrets, password]) wipe(secret)
  }
}

async function exchange(
  client: SmtpClient,
  mechanism: string,
  secrets: Buffer[],
  timeout: number,
): Promise<Refused | null> {
  client.write(`AUTH ${mechanism}\r\n`)
  for (const secret of secrets) {
    const challenge = await client.reply(timeout)
    if (challenge.code !== 334) return refused('the smarthost refuses the login')
    const line = encodeBase64Line(secret)
    await client.writeAll([line], timeout)
    wipe(line)
  }
  return isPositive(await client.reply(timeout)) ? null : refused('the smarthost refuses the login')
}

async function readPassword(path: string): Promise<Buffer | null> {
  try {
    const octets = await readFile(path)
    const end = octets.indexOf(10)
    const line = end < 0 ? octets : octets.subarray(0, octets[end - 1] === 13 ? end - 1 : end)
    const password = Buffer.from(line)
    wipe(octets)
    return password
  } catch {
    return null
  }
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')

/** Base64 with CRLF, from octets to octets: Buffer.toString would leave the password in a string that nobody can wipe. */
export function encodeBase64Line(secret: Buffer): Buffer {
  const line = Buffer.alloc(4 * Math.ceil(secret.length / 3) + 2, '=')
  let to = 0
  for (let at = 0; at < secret.length; at += 3) {
    const left = secret.length - at
    const group = (secret[at]! << 16) | ((secret[at + 1] ?? 0) << 8) | (secret[at + 2] ?? 0)
    line[to] = ALPHABET[group >> 18]!
    line[to + 1] = ALPHABET[(group >> 12) & 63]!
    if (left > 1) line[to + 2] = ALPHABET[(group >> 6) & 63]!
    if (left > 2) line[to + 3] = ALPHABET[group & 63]!
    to += 4
  }
  line.write('\r\n', to, 'latin1')
  return line
}
