/**
 * The messages of SCRAM (RFC 5802 §7) as a server reads and writes them; SMTP, IMAP and POP3 carry them in base64. Names and nonces are
 * no secrets; the proof at the end of the client's last message is one, and stays octets.
 */
import { isUtf8 } from 'node:buffer'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { decodeBase64 } from './sasl.ts'

/** RFC 5802 §7, server-error-value: what is wrong with a message before anything is tried. */
export type ScramError =
  | 'invalid-encoding'
  | 'extensions-not-supported'
  | 'channel-binding-not-supported'
  | 'channel-bindings-dont-match'
  | 'invalid-username-encoding'
  | 'other-error'

export interface MalformedScram {
  readonly kind: 'malformed'
  readonly why: ScramError
}

export interface ClientFirst {
  readonly kind: 'first'
  readonly user: string
  /** Whom to act as; empty for oneself. */
  readonly authorization: string
  readonly nonce: string
  /** The gs2-header, which the last message repeats. */
  readonly header: string
  /** What follows it: a part of what is proved. */
  readonly bare: string
}

export interface ClientFinal {
  readonly kind: 'final'
  readonly withoutProof: string
  /** 32 octets, to be wiped. */
  readonly proof: Buffer
}

export const SCRAM_MESSAGE_MAX = 2048
const PROOF_OCTETS = 32

const malformed = (why: ScramError): MalformedScram => ({ kind: 'malformed', why })

/** The text; null when it is too long for one of these, no UTF-8, or has a NUL. */
const textOf = (message: Buffer): string | null =>
  message.length <= SCRAM_MESSAGE_MAX && isUtf8(message) && !message.includes(0) ? message.toString('utf8') : null

/** RFC 5802 §5.1: a comma and an equals sign are escaped. null for another use of one. */
function decodeName(text: string): string | null {
  if (text === '' || /=(?!2C|3D)/.test(text)) return null
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** Extensions that need not be understood. */
const areAttributes = (parts: readonly string[]): boolean => parts.every((part) => /^[A-Za-z]=./u.test(part))

/** Everything printable but the comma. */
const NONCE = /^r=[\x21-\x2b\x2d-\x7e]+$/

export function readClientFirst(message: Buffer): ClientFirst | MalformedScram {
  const text = textOf(message)
  if (text === null) return malformed('invalid-encoding')
  const [flag = '', authzid = '', name = '', nonce = '', ...extensions] = text.split(',')
  // RFC 5802 §6: no -PLUS is offered, so `y` is the truth and `p=` a mistake.
  if (/^p=./.test(flag)) return malformed('channel-binding-not-supported')
  if (flag !== 'n' && flag !== 'y') return malformed('invalid-encoding')
  if (name.startsWith('m=')) return malformed('extensions-not-supported') // RFC 5802 §5.1
  const hasShape = /^(a=|$)/.test(authzid) && name.startsWith('n=') && NONCE.test(nonce) && areAttributes(extensions)
  if (!hasShape) return malformed('invalid-encoding')
  const user = decodeName(name.slice(2))
  const authorization = authzid === '' ? '' : decodeName(authzid.slice(2))
  if (user === null || authorization === null) return malformed('invalid-username-encoding')
  const header = `${flag},${authzid},`
  return { kind: 'first', user, authorization, nonce: nonce.slice(2), header, bare: text.slice(header.length) }
}

/** `nonce`: the client's and the server's together. */
export function readClientFinal(
  message: Buffer,
  { header, nonce }: { readonly header: string; readonly nonce: string },
): ClientFinal | MalformedScram {
  const end = message.lastIndexOf(',p=')
  const withoutProof = end < 0 ? null : textOf(message.subarray(0, end))
  if (withoutProof === null) return malformed('invalid-encoding')
  const [binding = '', repeated = '', ...extensions] = withoutProof.split(',')
  const bound = binding.startsWith('c=') ? decodeBase64(Buffer.from(binding.slice(2))) : null
  if (!bound || !NONCE.test(repeated) || !areAttributes(extensions)) return malformed('invalid-encoding')
  if (!bound.equals(Buffer.from(header))) return malformed('channel-bindings-dont-match')
  if (repeated.slice(2) !== nonce) return malformed('other-error')
  const proof = decodeBase64(message.subarray(end + 3))
  if (proof?.length === PROOF_OCTETS) return { kind: 'final', withoutProof, proof }
  proof?.fill(0)
  return malformed('invalid-encoding')
}

export interface Salting {
  readonly salt: Bytes
  readonly iterations: number
}

export const writeServerFirst = (nonce: string, { salt, iterations }: Salting): string =>
  `r=${nonce},s=${asBuffer(salt).toString('base64')},i=${iterations}`

export const writeServerFinal = (signature: Bytes): string => `v=${asBuffer(signature).toString('base64')}`

/** RFC 5802 §3: what both sides have said, and the proof is made over. */
export const authMessageOf = ({ bare }: ClientFirst, serverFirst: string, { withoutProof }: ClientFinal): Buffer =>
  Buffer.from(`${bare},${serverFirst},${withoutProof}`)
