/**
 * The two files of a recovery. The request leaves the server: the account's keyslot table and what people must know to decide. The
 * grant comes back: the table that follows it. Each is a line of JSON and a line with its SHA-256, against damage on the way;
 * what counts is under the MAC of the table, which the vault checks. Neither has a secret in it, but a keyslot table lets whoever has
 * it try passwords, so both are for their owner alone.
 */
import { hash } from 'node:crypto'
import { decodeTable, type SlotTable } from '#custody/vault/protocol/slot-table.ts'
import { isPrintable, MalformedTable } from '#custody/vault/protocol/table-fields.ts'
import type { Bytes } from '#lib/bytes.ts'
import { EscrowRefused, TICKET_CHARACTERS } from './escrow.ts'

export const PACKAGE_OCTETS_MAX = 1024 * 1024
const REQUEST = 'letterlock escrow request 1'
const GRANT = 'letterlock escrow grant 1'

/** The owner's consent as it was recorded; the signature over it was verified on the server. */
export interface ConsentFacts {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface EscrowRequest {
  readonly account: string
  readonly address: string
  readonly ticket: string
  /** When it was made; milliseconds since the epoch. */
  readonly at: number
  readonly consent: ConsentFacts
  readonly octets: Bytes
  readonly table: SlotTable
}

export interface EscrowGrant {
  readonly account: string
  readonly address: string
  readonly ticket: string
  readonly octets: Bytes
  readonly table: SlotTable
}

/** The file is damaged, or is none of these. */
export class MalformedPackage extends EscrowRefused {
  override readonly name = 'MalformedPackage'
}

/** Throws EscrowRefused: the ticket is shown to the owner and kept for ever. */
export function checkTicket(ticket: string): void {
  if (isPrintable(ticket, TICKET_CHARACTERS) && ticket.trim() !== '') return
  throw new EscrowRefused(
    `the ticket must be one line of 1 to ${TICKET_CHARACTERS} characters that says why, such as "court order 7/2026": the owner will read it`,
  )
}

function encode(fields: object): Buffer {
  const line = JSON.stringify(fields)
  return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
}

const base64 = (octets: Bytes) => Buffer.from(octets).toString('base64')

export function encodeRequest({ account, address, ticket, at, consent, octets }: Omit<EscrowRequest, 'table'>): Buffer {
  return encode({ format: REQUEST, account, address, ticket, at, consent, table: base64(octets) })
}

export function encodeGrant({ account, address, ticket, octets }: Omit<EscrowGrant, 'table'>): Buffer {
  return encode({ format: GRANT, account, address, ticket, table: base64(octets) })
}

/** Throws MalformedPackage. */
export function decodeRequest(file: Bytes): EscrowRequest {
  const fields = decode(file, REQUEST, 'an escrow request; letterlock escrow request makes one')
  const consent = Object(fields['consent']) as Record<string, unknown>
  return {
    ...commonOf(fields),
    at: time(fields['at']),
    consent: { version: words(consent['version']), at: time(consent['at']) },
  }
}

/** Throws MalformedPackage. */
export function decodeGrant(file: Bytes): EscrowGrant {
  return commonOf(decode(file, GRANT, 'an escrow grant; letterlock escrow recover makes one'))
}

type Fields = Readonly<Record<string, unknown>>

function decode(file: Bytes, format: string, what: string): Fields {
  const [line = '', checksum, rest] = Buffer.from(file).toString('utf8').split('\n')
  const fields = file.byteLength <= PACKAGE_OCTETS_MAX ? parsed(line) : {}
  if (fields['format'] !== format) throw new MalformedPackage(`this is not ${what}`)
  if (rest !== '' || checksum !== hash('sha256', line)) {
    throw new MalformedPackage('the file is damaged: copy it once more from where it was made')
  }
  return fields
}

function parsed(line: string): Fields {
  try {
    return Object(JSON.parse(line)) as Fields
  } catch {
    return {}
  }
}

function commonOf(fields: Fields): EscrowGrant {
  const octets = Buffer.from(String(fields['table']), 'base64')
  const account = words(fields['account'])
  const table = tableIn(octets)
  if (table.account !== account) throw new MalformedPackage('the keyslot table in it is of another account')
  return { account, address: words(fields['address']), ticket: words(fields['ticket']), octets, table }
}

function tableIn(octets: Buffer): SlotTable {
  try {
    return decodeTable(octets)
  } catch (error) {
    if (error instanceof MalformedTable)
      throw new MalformedPackage(`the keyslot table in it is damaged (${error.message})`)
    throw error
  }
}

function words(value: unknown): string {
  if (typeof value === 'string' && isPrintable(value, 500)) return value
  throw new MalformedPackage('a field of it is missing or is no text')
}

function time(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new MalformedPackage('a field of it is missing or is no time')
}
