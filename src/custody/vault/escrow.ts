/**
 * The escrow slot: the AMK of an account that consented, sealed to the provider's master certificate as an OpenPGP message
 * (RFC 9580 §10.3). The master secret key is kept away from the server, so the server can make such a slot and never open it; the
 * vault that opens one runs on another machine.
 *
 * What is sealed says whose AMK it is, in which slot, of which generation and for which master key: a message that was moved to
 * another account or kept from another time opens nothing. Opening leaves a mark in the table that only the owner could remove,
 * and gives one recovery code; the AMK itself never leaves the vault.
 */
import { randomBytes } from 'node:crypto'
import { type EncryptionKey, encryptionKeysAt, verifyCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { IntegrityError, MalformedOpenPgp, UndecryptableSessionKey } from '#formats/openpgp/openpgp.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { certificateOf, openSecretKeys, type SecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { PassphraseNeeded, UnsupportedLock, unlockSecretKey, WrongPassphrase } from '#formats/openpgp/unlock.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { admitOwner } from './credentials.ts'
import { equal, KEY_OCTETS, label, withKey } from './key-derivation.ts'
import { makeSlot, type Place, verifyTable } from './keyslots.ts'
import { checkNewPassword } from './password-rules.ts'
import { MalformedFrame } from './protocol/codec.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import { BY_ESCROW, type Keyslot, OPENINGS_MAX, type SlotTable, TICKET_MAX } from './protocol/slot-table.ts'
import { isPrintable } from './protocol/table-fields.ts'
import { allSlots, checkRoom, nextTable, SlotsFull, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'
import { encodeCode, newCodeSecret, RECOVERY_CODE } from './typed-code.ts'

const NONE = Buffer.alloc(0)
/** What stands before the AMK inside the message is a few hundred octets. */
const CONTENT_MAX = 4096
/** So many fit into a label whatever they are. */
const LABEL_CHARACTERS = 32

/** The master certificate, as far as its own signatures bind it, and the time that counts. */
interface Master {
  readonly certificate: Bytes
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A new escrow slot around the AMK. Throws MalformedOpenPgp for a master certificate that nothing may be sealed to. */
export function sealEscrow(place: Place, sequence: number, { certificate, now }: Master, amk: Bytes): Keyslot {
  const master = verifyCertificate(certificate, now)
  const [newest] = encryptionKeysAt(master, now)
  const slot: Keyslot = {
    id: randomBytes(8).toString('hex'),
    type: 'escrow',
    scope: '',
    label: '',
    created: now,
    expires: null,
    sequence,
    born: place.generation,
    kdf: { kind: 'openpgp', fingerprint: master.fingerprint },
    verifier: NONE,
    publicKey: NONE,
    wrapped: NONE,
    scram: null,
  }
  return { ...slot, wrapped: sealedTo(newest, contextOf(place, slot, master.fingerprint), amk) }
}

/**
 * The slot around the AMK of another generation, for the same master key. One that has expired meanwhile is still sealed to: the
 * owner's consent has not. Throws MalformedOpenPgp for the certificate of another one.
 */
export function carryEscrow(into: Place, slot: Keyslot, { certificate, now }: Master, amk: Bytes): Keyslot {
  const master = verifyCertificate(certificate, now)
  if (slot.kdf.kind !== 'openpgp' || slot.kdf.fingerprint !== master.fingerprint) {
    throw new MalformedOpenPgp('the certificate of another master key')
  }
  const newest = encryptionKeysAt(master, now)[0] ?? master.encryptionKeys[0]
  return { ...slot, wrapped: sealedTo(newest, contextOf(into, slot, master.fingerprint), amk) }
}

const contextOf = ({ account, generation }: Place, { id }: Keyslot, master: string) =>
  label('letterlock escrow 1', account, id, generation, master)

function sealedTo(key: EncryptionKey | undefined, context: Buffer, amk: Bytes): Buffer {
  if (!key) throw new MalformedOpenPgp('the master key may not be sealed to')
  return withKey(Buffer.concat([context, amk]), (content) => {
    const { message, sessionKey } = seal([key], content)
    wipe(sessionKey.key)
    return message
  })
}

/** The AMK, to be wiped by the caller; null when the slot does not open with these keys, or is not of this place. */
function openSealed(place: Place, slot: Keyslot, keys: SecretKeys): Buffer | null {
  const context = contextOf(place, slot, keys.certificate.fingerprint)
  try {
    for (const pkesk of splitMessage(slot.wrapped).pkesks) {
      const sessionKey = sessionKeyOf(keys, pkesk)
      if (!sessionKey) continue
      const content = asBuffer(unseal(slot.wrapped, sessionKey, CONTENT_MAX))
      wipe(sessionKey.key)
      return withKey(content, () => {
        const isOurs =
          content.length === context.length + KEY_OCTETS && equal(content.subarray(0, -KEY_OCTETS), context)
        return isOurs ? Buffer.from(content.subarray(-KEY_OCTETS)) : null
      })
    }
    return null
  } catch (error) {
    if (error instanceof UndecryptableSessionKey || error instanceof IntegrityError) return null
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

export const withoutEscrow = (slots: readonly Keyslot[]): readonly Keyslot[] =>
  slots.filter(({ type }) => type !== 'escrow')

/** Whoever has the master key could still open what a reset has parked. */
export const parkedWithoutEscrow = ({ parked }: SlotTable): SlotTable['parked'] =>
  parked.map((group) => ({ ...group, slots: withoutEscrow(group.slots) }))

export async function addEscrow(request: RequestOf<'addEscrow'>, stretcher: Stretcher): Promise<AnswerOf<'addEscrow'>> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  return withKey(owner.amk, (amk) => {
    checkRoom(allSlots(table), 1)
    const master = { certificate: request.master, now: request.created }
    const slot = sealEscrow(table, table.sequence + 1, master, amk)
    return { kind: 'changed', table: nextTable(table, { slots: [...withoutEscrow(table.slots), slot] }, amk) }
  })
}

export async function openEscrow(
  request: RequestOf<'openEscrow'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'openEscrow'>> {
  if (!isPrintable(request.ticket, TICKET_MAX)) throw new MalformedFrame('not a ticket')
  const table = tableOf(request.account, request.table)
  if (table.openings.length === OPENINGS_MAX) throw new SlotsFull('no opening can be noted any more')
  const master = fingerprintOf(request.master, request.created)
  const slots = table.slots.filter(({ kdf }) => kdf.kind === 'openpgp' && kdf.fingerprint === master)
  if (slots.length === 0) return { kind: 'none' }
  using keys = await unlockedMaster(request)
  const amk = keys && firstOpened(table, slots, keys)
  if (!amk) return { kind: 'wrong' }
  const code = newCodeSecret(RECOVERY_CODE)
  try {
    verifyTable(table, amk)
    return await recoverable(table, { ...request, master, amk, code }, stretcher)
  } finally {
    wipe(amk)
    wipe(code)
  }
}

const fingerprintOf = (tsk: Bytes, now: number) => verifyCertificate(certificateOf(tsk), now).fingerprint

/** null when the passphrase does not open it. */
async function unlockedMaster({
  master,
  masterPassphrase,
}: Pick<RequestOf<'openEscrow'>, 'master' | 'masterPassphrase'>): Promise<SecretKeys | null> {
  try {
    const tsk = await unlockSecretKey(master, asBuffer(masterPassphrase))
    return withKey(tsk, openSecretKeys)
  } catch (error) {
    if (error instanceof WrongPassphrase || error instanceof PassphraseNeeded) return null
    if (error instanceof UnsupportedLock) throw new MalformedOpenPgp(error.message)
    throw error
  }
}

function firstOpened(place: Place, slots: readonly Keyslot[], keys: SecretKeys): Buffer | null {
  for (const slot of slots) {
    const amk = openSealed(place, slot, keys)
    if (amk) return amk
  }
  return null
}

interface Opening {
  readonly created: number
  readonly ticket: string
  readonly master: string
  readonly amk: Bytes
  readonly code: Bytes
}

/** The table with a recovery slot that was not the owner's wish, and the mark that says so. */
async function recoverable(
  table: SlotTable,
  { created, ticket, master, amk, code }: Opening,
  stretcher: Stretcher,
): Promise<AnswerOf<'openEscrow'>> {
  checkRoom(allSlots(table), 1)
  const name = Array.from(ticket).slice(0, LABEL_CHARACTERS).join('')
  const order = { created, sequence: table.sequence + 1, scope: BY_ESCROW, label: name }
  const slot = await makeSlot(table, { type: 'recovery', ...order }, { credential: code, amk }, stretcher)
  const openings = [...table.openings, { at: created, ticket, master }]
  const next = nextTable(table, { slots: [...table.slots, slot], openings }, amk)
  return { kind: 'opened', table: next, recoveryCode: encodeCode(RECOVERY_CODE, code) }
}

/** The unlocked secret is wiped here; what leaves is locked. Throws WeakPassword. */
export async function makeMaster(request: RequestOf<'makeMaster'>): Promise<AnswerOf<'makeMaster'>> {
  const { userId, algorithm, created, lock } = request
  checkNewPassword(lock)
  const { secret, certificate } = await generateKeys({ userId, algorithm, created: new Date(created) })
  const passphrase = Buffer.from(lock)
  try {
    const { fingerprint } = verifyCertificate(certificate, created)
    return { certificate, fingerprint, secret: Buffer.from(await lockForExport(secret, passphrase)) }
  } finally {
    wipe(secret)
    wipe(passphrase)
  }
}

/** Seals something to the master key and opens it again, as a recovery would. Throws MalformedOpenPgp. */
export async function checkMaster(request: RequestOf<'checkMaster'>): Promise<AnswerOf<'checkMaster'>> {
  const { master, now } = request
  using keys = await unlockedMaster(request)
  if (!keys) return { kind: 'wrong' }
  const place = { account: 'check', generation: 1 }
  const sample = randomBytes(KEY_OCTETS)
  const slot = sealEscrow(place, 1, { certificate: certificateOf(master), now }, sample)
  const opened = openSealed(place, slot, keys)
  if (!opened?.equals(sample)) return { kind: 'wrong' }
  return { kind: 'opens', fingerprint: keys.certificate.fingerprint }
}
