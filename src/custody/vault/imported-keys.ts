/**
 * Keys of the owner's own. What is brought is unlocked, judged, freed from everything that its own signatures do not bind, and
 * locked under the account's master key; only here is its secret ever seen. A key is kept with the cleaned certificate and no other:
 * what anybody put beside it before it came here has no effect.
 */

import { withModernSubkey } from '#formats/openpgp/add-subkey.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { parsePublicPart } from '#formats/openpgp/key-packet.ts'
import { judgeKey } from '#formats/openpgp/key-policy.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { certificateOf, openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { CannotSign } from '#formats/openpgp/sign.ts'
import { PassphraseNeeded, UnsupportedLock, unlockSecretKey, WrongPassphrase } from '#formats/openpgp/unlock.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { admitOwner } from './credentials.ts'
import { lockKey, openLockedKey } from './locked-key.ts'
import { type AnswerOf, CERTIFICATE_OCTETS_MAX, type RequestOf } from './protocol/protocol.ts'
import type { SlotTable } from './protocol/slot-table.ts'
import { nextTable, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'

type Import = RequestOf<'importKey'>
type Imported = AnswerOf<'importKey'>
type Why = Extract<Imported, { kind: 'unreadable' }>['why']

export async function importKey(request: Import, stretcher: Stretcher): Promise<Imported> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  try {
    const brought = await unlockBrought(request)
    if (typeof brought === 'string') return { kind: 'unreadable', why: brought }
    try {
      return takeIn(table, request, brought, owner.amk)
    } finally {
      wipe(brought.tsk)
    }
  } finally {
    wipe(owner.amk)
  }
}

/** An unlocked transferable secret key, in binary, and the fingerprints of the keys whose secrets are in it. */
interface Brought {
  readonly tsk: Buffer
  readonly held: readonly string[]
}

async function unlockBrought(request: Import): Promise<Brought | Why> {
  const { tsk, keyPassphrase } = request
  let unlocked: Buffer
  try {
    unlocked = await unlockSecretKey(tsk, keyPassphrase.byteLength === 0 ? null : asBuffer(keyPassphrase))
  } catch (error) {
    return whyNot(error)
  }
  const held = heldIn(unlocked)
  if (!held) {
    wipe(unlocked)
    return 'halves do not match'
  }
  const brought = { tsk: unlocked, held }
  return request.addsSubkey === 'yes' ? withSubkey(brought, request) : brought
}

function whyNot(error: unknown): Why {
  if (error instanceof PassphraseNeeded) return 'locked'
  if (error instanceof WrongPassphrase) return 'wrong passphrase'
  if (error instanceof UnsupportedLock) return 'unknown lock'
  if (error instanceof MalformedOpenPgp) return 'not a secret key'
  throw error
}

/** null: a public half does not belong to its secret. */
function heldIn(tsk: Bytes): readonly string[] | null {
  try {
    using keys = openSecretKeys(tsk)
    return keys.keys.map(({ key }) => key.fingerprint)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

const judged = ({ tsk, held }: Brought, { addresses, created }: Import) =>
  judgeKey(certificateOf(tsk), { addresses, now: created, held })

/** Only a key that has nothing to seal to gets a subkey of ours. */
async function withSubkey(brought: Brought, request: Import): Promise<Brought> {
  const { refusals } = judged(brought, request)
  if (!refusals.some(({ code }) => code === 'old-algorithm' || code === 'no-encryption-key')) return brought
  try {
    const { secret } = await withModernSubkey(brought.tsk, request.created)
    wipe(brought.tsk)
    return { tsk: secret, held: heldIn(secret) ?? [] }
  } catch (error) {
    if (error instanceof CannotSign) return brought
    throw error
  }
}

function takeIn(table: SlotTable, request: Import, brought: Brought, amk: Bytes): Imported {
  const { verdict } = judged(brought, request)
  const isWanted = verdict === 'current' || (verdict === 'reading' && request.use === 'reading')
  const certificate = cleanedOf(brought.tsk, request.created)
  if (!isWanted || !certificate) return refusedWith([certificateOf(brought.tsk), certificate], brought.held)
  if (certificate.length > CERTIFICATE_OCTETS_MAX) return { kind: 'unreadable', why: 'too large' }
  const cleaned = withSecrets(certificate, brought.tsk)
  try {
    const locked = lockKey(table, cleaned, certificate, amk)
    openLockedKey(table, { certificate, locked }, amk).wipe()
    const { fingerprint } = parseCertificate(certificate)
    const next = nextTable(table, namesAfter(table, request.use, fingerprint), amk)
    const key = { certificate, locked, fingerprint, revocation: Buffer.alloc(0) }
    return { kind: 'imported', table: next, ...key, held: brought.held }
  } finally {
    wipe(cleaned)
  }
}

/** As it came, or at least what is left of it, since the reasons are told by it. */
function refusedWith(certificates: readonly (Bytes | null)[], held: readonly string[]): Imported {
  const certificate = certificates.find((one) => one !== null && one.byteLength <= CERTIFICATE_OCTETS_MAX)
  return certificate ? { kind: 'refused', certificate, held } : { kind: 'unreadable', why: 'too large' }
}

/** null: nothing in it is bound by its own signatures. */
function cleanedOf(tsk: Bytes, now: number): Buffer | null {
  try {
    return cleanCertificate(certificateOf(tsk), now)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

/** The certificate with its secrets in their places; what is not in the certificate is left behind. */
function withSecrets(certificate: Bytes, tsk: Bytes): Buffer {
  const secrets = new Map<string, Bytes>()
  for (const { type, body, octets } of readPackets(tsk)) {
    if (type !== PacketType.secretKey && type !== PacketType.secretSubkey) continue
    secrets.set(parsePublicPart(body).key.fingerprint, octets)
  }
  const parts = [...readPackets(certificate)].map(({ type, body, octets }) => {
    const isKey = type === PacketType.publicKey || type === PacketType.publicSubkey
    return isKey ? (secrets.get(parsePublicPart(body).key.fingerprint) ?? octets) : octets
  })
  return Buffer.concat(parts)
}

/** Of a held certificate: its locked key binds its octets. */
const NO_HASH = Buffer.alloc(32)

function namesAfter({ current }: SlotTable, use: Import['use'], fingerprint: string) {
  if (use === 'reading') return {}
  if (use === 'both' || fingerprint === current) return { current: fingerprint, endToEnd: null }
  return { current, endToEnd: { fingerprint, custody: 'held', certificateHash: NO_HASH } as const }
}

type OtherWish = Extract<RequestOf<'setEndToEnd'>['endToEnd'], { kind: 'other' }>

const endToEndOf = ({ fingerprint, custody, certificateHash }: OtherWish) => ({
  fingerprint,
  custody,
  // a request's octets are wiped
  certificateHash: Buffer.from(certificateHash),
})

export async function setEndToEnd(
  request: RequestOf<'setEndToEnd'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'setEndToEnd'>> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  try {
    const { endToEnd: wish } = request
    const endToEnd = wish.kind === 'same' ? null : endToEndOf(wish)
    return { kind: 'changed', table: nextTable(table, { endToEnd }, owner.amk) }
  } finally {
    wipe(owner.amk)
  }
}
