import { type Address, formatAddress, parseAddress } from '#formats/message/address.ts'
import type { Notify } from '#formats/message/envelope.ts'
import { reply, SmtpError } from './reply.ts'
import { decodeXtext, encodeXtext } from './xtext.ts'

/** Parameters of MAIL; null means "not said". */
export interface MailParameters {
  /** RFC 1870: the octets that the client believes the message has. */
  readonly size: number | null
  /** RFC 6152. */
  readonly body: '7bit' | '8bitmime' | null
  /** RFC 6531. */
  readonly smtputf8: boolean
  /** RFC 3461 §4.3. */
  readonly ret: 'full' | 'hdrs' | null
  /** RFC 3461 §4.4, decoded. */
  readonly envid: string | null
  /** RFC 4954 §5: who submitted the message first; `unknown` is `AUTH=<>`. */
  readonly auth: Address | 'unknown' | null
}

/** Parameters of RCPT. */
export interface RcptParameters {
  readonly notify: Notify
  /** RFC 3461 §4.2, `type;decoded-value`. */
  readonly orcpt: string | null
}

type Readers<P> = Readonly<Record<string, (value: string) => Partial<P> | null>>

const NOTIFY = ['success', 'failure', 'delay'] as const

/** RFC 3461 §4.1: NEVER alone, or a list of the others. */
function readNotify(value: string): Notify | undefined {
  const words = value.toLowerCase().split(',')
  if (words.length === 1 && words[0] === 'never') return []
  const known = NOTIFY.filter((word) => words.includes(word))
  return known.length === words.length ? known : undefined
}

function readOrcpt(value: string): string | null {
  const semicolon = value.indexOf(';')
  const type = value.slice(0, semicolon)
  const decoded = decodeXtext(value.slice(semicolon + 1))
  // RFC 3461 §4.2: at most 500 characters.
  if (semicolon < 0 || !/^[A-Za-z0-9-]+$/.test(type) || !decoded || value.length > 500) return null
  return `${type};${decoded}`
}

function readAuth(value: string): Address | 'unknown' | null {
  const decoded = decodeXtext(value)
  if (decoded === '<>') return 'unknown'
  return decoded === null ? null : parseAddress(decoded)
}

const mailReaders: Readers<MailParameters> = {
  SIZE: (value) => (/^[0-9]{1,20}$/.test(value) ? { size: Number(value) } : null), // RFC 1870 §3
  BODY: (value) => {
    const body = value.toLowerCase()
    return body === '7bit' || body === '8bitmime' ? { body } : null
  },
  SMTPUTF8: (value) => (value === '' ? { smtputf8: true } : null),
  RET: (value) => {
    const ret = value.toLowerCase()
    return ret === 'full' || ret === 'hdrs' ? { ret } : null
  },
  ENVID: (value) => {
    const envid = decodeXtext(value)
    return envid && envid.length <= 100 ? { envid } : null // RFC 3461 §4.4
  },
  AUTH: (value) => {
    const auth = readAuth(value)
    return auth ? { auth } : null
  },
}

const rcptReaders: Readers<RcptParameters> = {
  NOTIFY: (value) => {
    const notify = readNotify(value)
    return notify === undefined ? null : { notify }
  },
  ORCPT: (value) => {
    const orcpt = readOrcpt(value)
    return orcpt ? { orcpt } : null
  },
}

/** Reads ` KEY=value KEY ...` (RFC 5321 §4.1.2, esmtp-param). */
function readParameters<P extends object>(text: string, readers: Readers<P>, unsaid: P): P {
  if (text === '') return unsaid
  const wrong = (words: string) => new SmtpError(reply(501, '5.5.4', words))
  if (!text.startsWith(' ')) throw wrong('Syntax error after the address')
  const read: P = { ...unsaid }
  const seen = new Set<string>()
  for (const word of text.split(' ')) {
    if (word === '') continue
    const equals = word.indexOf('=')
    const key = (equals < 0 ? word : word.slice(0, equals)).toUpperCase()
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined
    // RFC 5321 §4.1.1.11: 555 for parameters that are not recognized or not implemented.
    if (!reader) throw new SmtpError(reply(555, '5.5.4', 'Unsupported parameter'))
    if (seen.has(key)) throw wrong(`Parameter ${key} given twice`)
    seen.add(key)
    const value = reader(equals < 0 ? '' : word.slice(equals + 1))
    if (!value) throw wrong(`Bad value of parameter ${key}`)
    Object.assign(read, value)
  }
  return read
}

export const NO_MAIL_PARAMETERS: MailParameters = {
  size: null,
  body: null,
  smtputf8: false,
  ret: null,
  envid: null,
  auth: null,
}
export const NO_RCPT_PARAMETERS: RcptParameters = { notify: null, orcpt: null }

/** Throws SmtpError: 555 5.5.4 for an unknown parameter, 501 5.5.4 for a bad value or one given twice. */
export const readMailParameters = (text: string): MailParameters =>
  readParameters(text, mailReaders, NO_MAIL_PARAMETERS)
export const readRcptParameters = (text: string): RcptParameters =>
  readParameters(text, rcptReaders, NO_RCPT_PARAMETERS)

/** Each with a space before it, ready to follow the path. */
export function formatMailParameters(said: MailParameters): string {
  const { size, body, smtputf8, ret, envid, auth } = said
  return [
    size === null ? '' : ` SIZE=${size}`,
    body === null ? '' : ` BODY=${body.toUpperCase()}`,
    smtputf8 ? ' SMTPUTF8' : '',
    ret === null ? '' : ` RET=${ret.toUpperCase()}`,
    envid === null ? '' : ` ENVID=${encodeXtext(envid)}`,
    auth === null ? '' : ` AUTH=${encodeXtext(auth === 'unknown' ? '<>' : formatAddress(auth))}`,
  ].join('')
}

export function formatRcptParameters({ notify, orcpt }: RcptParameters): string {
  const wanted = notify === null ? '' : ` NOTIFY=${notify.join(',').toUpperCase() || 'NEVER'}`
  if (orcpt === null) return wanted
  const semicolon = orcpt.indexOf(';')
  return `${wanted} ORCPT=${orcpt.slice(0, semicolon)};${encodeXtext(orcpt.slice(semicolon + 1))}`
}
