/**
 * The lock of the master key in parts: a random secret of 256 bits, of which any k of n people can make it whole again and fewer learn
 * nothing (Shamir, over GF(256)). The library combines whatever it is given and says nothing when it is wrong, so each set of shares
 * knows a fingerprint of its secret and of the master key that it locks; what comes out is checked against it.
 */
import { hash, randomBytes } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { encodeCrockford } from '#lib/crockford.ts'
import { EscrowRefused } from './escrow.ts'

export const SHARES_MAX = 20
const SECRET_OCTETS = 32
export const SET_OCTETS = 14
/** The secret's, and the coordinate. */
export const SHARE_OCTETS = SECRET_OCTETS + 1

export interface Share {
  /** 1 to n. */
  readonly number: number
  readonly shares: number
  readonly threshold: number
  /** The same in all shares of a set, and in no other set. */
  readonly set: Bytes
  /** Wiped by whoever has the share. */
  readonly octets: Bytes
}

/** These shares do not make a lock. The message says which of them and why. */
export class SharesRefused extends EscrowRefused {
  override readonly name = 'SharesRefused'
  readonly why: 'mistyped' | 'other set' | 'other key' | 'duplicate' | 'too few' | 'changed'
  constructor(why: SharesRefused['why'], message: string) {
    super(message)
    this.why = why
  }
}

export const newLockSecret = (): Buffer => randomBytes(SECRET_OCTETS)

/** The secret as the passphrase of the master key; wiped by the caller. */
export const passphraseOf = (secret: Bytes): Buffer =>
  encodeCrockford(Buffer.concat([secret, Buffer.alloc(1)]), Math.ceil((SECRET_OCTETS * 8) / 5), 4)

function setOf(secret: Bytes, fingerprint: string): Buffer {
  const text = `letterlock escrow shares 1|${fingerprint}|${Buffer.from(secret).toString('hex')}`
  return hash('sha256', text, 'buffer').subarray(0, SET_OCTETS)
}

/** What people compare: eight digits of the set. */
export const setName = ({ set }: Share): string =>
  Buffer.from(set).toString('hex').slice(0, 8).toUpperCase().replace(/^.{4}/, '$& ')

/** `fingerprint`: of the master key that is locked by the secret. */
export async function splitSecret(
  secret: Bytes,
  { shares, threshold }: { readonly shares: number; readonly threshold: number },
  fingerprint: string,
): Promise<readonly Share[]> {
  const { split } = await import('shamir-secret-sharing')
  const set = setOf(secret, fingerprint)
  const parts = await split(new Uint8Array(secret), shares, threshold)
  return parts.map((octets, index) => ({ number: index + 1, shares, threshold, set, octets }))
}

/** The secret, checked; wiped by the caller. `fingerprint`: of the master key that it is to open. Throws SharesRefused. */
export async function combineShares(given: readonly Share[], fingerprint: string): Promise<Buffer> {
  checkSet(given)
  const { combine } = await import('shamir-secret-sharing')
  const combined = await combine(given.map(({ octets }) => new Uint8Array(octets)))
  const secret = Buffer.from(combined.buffer, combined.byteOffset, combined.byteLength)
  if (setOf(secret, fingerprint).equals(given[0]!.set)) return secret
  secret.fill(0)
  throw new SharesRefused(
    'other key',
    `these shares (set ${setName(given[0]!)}) do not open master key ${fingerprint}: look on them for the master key that they are of`,
  )
}

function checkSet(given: readonly Share[]): void {
  const [first] = given
  if (!first) throw new SharesRefused('too few', 'no share was given')
  const seen = new Set<number>()
  for (const share of given) {
    const { number, threshold, shares } = share
    const isOfSet = Buffer.from(share.set).equals(first.set) && threshold === first.threshold && shares === first.shares
    if (!isOfSet) {
      throw new SharesRefused(
        'other set',
        `share ${number} is of set ${setName(share)}, and share ${first.number} of set ${setName(first)}: take shares of one set`,
      )
    }
    if (seen.has(number)) throw new SharesRefused('duplicate', `share ${number} was given twice: another one is needed`)
    seen.add(number)
  }
  if (given.length < first.threshold) {
    throw new SharesRefused('too few', `${first.threshold} shares are needed; given: ${given.length}`)
  }
}
