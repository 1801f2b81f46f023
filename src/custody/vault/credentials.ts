/**
 * Who is at the door: a credential against a keyslot table. App passwords are told by their form and cost no slow step; everything
 * else, right or wrong, costs one stretch, whether or not the account exists.
 *
 * An account with a separate passphrase has a password slot that only proves, and a passphrase slot that opens to both together:
 * the password alone logs in nowhere, and a stolen table must be guessed for both at once.
 *
 * An app password can be shown by a SCRAM proof instead, which costs no slow step either; the keyring and the desk see to it that
 * strangers wait as long for every answer.
 */
import { type Bytes, wipe } from '#lib/bytes.ts'
import { SealBroken } from './aead.ts'
import { KEY_OCTETS, label } from './key-derivation.ts'
import {
  makeSlot,
  type Place,
  type SlotOpened,
  slotsOf,
  TableTampered,
  tryDecoy,
  trySlot,
  verifyTable,
} from './keyslots.ts'
import type { RequestOf } from './protocol/protocol.ts'
import { type Rights, rightsOf, scopeWords } from './protocol/scope.ts'
import type { Keyslot, ScramLock, SlotTable } from './protocol/slot-table.ts'
import { clientKeyIn, openScramLock, type ScramProof, serverSignature } from './scram-lock.ts'
import type { Stretcher } from './stretcher.ts'
import { APP_PASSWORD, decodeCode } from './typed-code.ts'

/** What a credential is shown for: `owner` is everything, changes of the account included. */
export type CredentialUse = RequestOf<'unlock'>['use']

export interface Credential {
  readonly password: Bytes
  /** Empty for none. */
  readonly passphrase: Bytes
}

/** What somebody may do who came in by a slot. */
export interface Grant extends Rights {
  readonly slot: string
  readonly scope: string
  /** Milliseconds since the epoch; null for never. */
  readonly expires: number | null
}

export type Admission =
  | { readonly kind: 'wrong' }
  /** The password is right, and the account wants its passphrase as well. */
  | { readonly kind: 'passphrase' }
  /** `amk` null: the credential opens nothing. Wiped by the caller. */
  | { readonly kind: 'admitted'; readonly amk: Buffer | null; readonly grant: Grant }

const WRONG = { kind: 'wrong' } as const

/** The rights that a slot's scope says. */
const grantOf = ({ id, scope, expires }: Keyslot): Grant => ({ slot: id, scope, expires, ...rightsOf(scope) })

export function permits({ scope, expires }: Grant, use: CredentialUse, now: number): boolean {
  if (expires !== null && expires <= now) return false
  return scope === '' || scopeWords(scope).includes(use)
}

/** Password and passphrase as one credential, to be wiped by the caller. */
export const together = ({ password, passphrase }: Credential): Buffer => label(password, passphrase)

/** `table` null: an account that is not there. The table's MAC was verified when there is an AMK. Throws TableTampered, Busy. */
export async function admit(
  table: SlotTable | null,
  credential: Credential,
  { use, now }: { readonly use: CredentialUse; readonly now: number },
  stretcher: Stretcher,
): Promise<Admission> {
  const byApp = table && use !== 'owner' ? await tryAppSlots(table, credential.password, stretcher) : null
  if (byApp && permits(byApp.grant, use, now)) return byApp
  if (byApp?.amk) wipe(byApp.amk)
  if (!table || byApp) {
    await tryDecoy(credential.password, stretcher)
    return WRONG
  }
  return admitByPassword(table, table.slots, credential, stretcher)
}

async function admitByPassword(
  table: SlotTable,
  slots: readonly Keyslot[],
  credential: Credential,
  stretcher: Stretcher,
): Promise<Admission> {
  const own = slotsOf(slots, 'password')
  if (own.length === 0) await tryDecoy(credential.password, stretcher)
  for (const slot of own) {
    const found = await trySlot(table, slot, credential.password, stretcher)
    if (found.kind === 'wrong') continue
    if (found.kind === 'opened') return admitted(table, slot, found)
    return openBoth(table, slotsOf(slots, 'passphrase'), credential, stretcher)
  }
  return WRONG
}

type Admitted = Extract<Admission, { kind: 'admitted' }>

function admitted(table: SlotTable, slot: Keyslot, found: Exclude<SlotOpened, { kind: 'wrong' }>): Admitted {
  const amk = found.kind === 'opened' ? found.amk : null
  if (amk) verifyOrWipe(table, amk)
  return { kind: 'admitted', amk, grant: grantOf(slot) }
}

function verifyOrWipe(table: SlotTable, amk: Buffer): void {
  try {
    verifyTable(table, amk)
  } catch (error) {
    wipe(amk)
    throw error
  }
}

async function tryAppSlots(table: SlotTable, typed: Bytes, stretcher: Stretcher): Promise<Admitted | null> {
  const secret = decodeCode(APP_PASSWORD, typed)
  if (!secret) return null
  try {
    for (const slot of slotsOf(table.slots, 'app')) {
      const found = await trySlot(table, slot, secret, stretcher)
      if (found.kind !== 'wrong') return admitted(table, slot, found)
    }
    return null
  } finally {
    wipe(secret)
  }
}

export type ProofAdmission =
  | { readonly kind: 'wrong' }
  /** `signature`: for the client, who knows by it that we have its password's keys. */
  | { readonly kind: 'admitted'; readonly admitted: Admitted; readonly signature: Buffer }

/** `table` null: an account that is not there. Every app password is tried, so that the work says nothing of which it is. Throws TableTampered. */
export function admitByProof(
  table: SlotTable | null,
  shown: ScramProof,
  { use, now }: { readonly use: CredentialUse; readonly now: number },
): ProofAdmission {
  const tried = (table?.slots ?? []).flatMap((slot) => {
    const clientKey = slot.type === 'app' && slot.scram ? clientKeyIn(shown, slot.scram.storedKey) : null
    return clientKey && slot.scram ? [{ slot, lock: slot.scram, clientKey }] : []
  })
  // as much for nobody as for somebody with one app password
  if (!table || tried.length === 0) clientKeyIn(shown, DECOY)
  try {
    const found = tried.find(({ slot }) => permits(grantOf(slot), use, now))
    if (!table || !found) return WRONG
    const admitted = openedByProof(table, found.slot, found.lock, found.clientKey)
    return { kind: 'admitted', admitted, signature: serverSignature(found.lock, shown.authMessage) }
  } finally {
    for (const { clientKey } of tried) wipe(clientKey)
  }
}

const DECOY = Buffer.alloc(KEY_OCTETS)

function openedByProof(table: SlotTable, slot: Keyslot, lock: ScramLock, clientKey: Bytes): Admitted {
  try {
    const amk = openScramLock(table, slot, lock, clientKey)
    return admitted(table, slot, amk ? { kind: 'opened', amk } : { kind: 'proved' })
  } catch (error) {
    if (error instanceof SealBroken) throw new TableTampered('a keyslot was changed')
    throw error
  }
}

async function openBoth(
  table: SlotTable,
  slots: readonly Keyslot[],
  credential: Credential,
  stretcher: Stretcher,
): Promise<Admission> {
  if (credential.passphrase.byteLength === 0) return { kind: 'passphrase' }
  const both = together(credential)
  try {
    for (const slot of slots) {
      const found = await trySlot(table, slot, both, stretcher)
      if (found.kind === 'opened') return admitted(table, slot, found)
    }
    return WRONG
  } finally {
    wipe(both)
  }
}

/** What changes an account: its owner, in person. */
export type Owner =
  | { readonly kind: 'wrong' }
  | { readonly kind: 'passphrase' }
  /** Wiped by the caller. */
  | { readonly kind: 'owner'; readonly amk: Buffer }

/** `slots`: those that may be tried, all of the table otherwise. Throws TableTampered, Busy. */
export async function admitOwner(
  table: SlotTable,
  credential: Credential,
  stretcher: Stretcher,
  slots: readonly Keyslot[] = table.slots,
): Promise<Owner> {
  const admission = await admitByPassword(table, slots, credential, stretcher)
  if (admission.kind !== 'admitted') return admission
  return admission.amk ? { kind: 'owner', amk: admission.amk } : WRONG
}

export interface OwnerOrder {
  readonly created: number
  readonly sequence: number
}

/** The slots of an owner: one for the password, or with a passphrase one that proves the password and one that opens to both. Throws Busy. */
export async function ownerSlots(
  place: Place,
  order: OwnerOrder,
  { credential, amk }: { readonly credential: Credential; readonly amk: Bytes },
  stretcher: Stretcher,
): Promise<readonly Keyslot[]> {
  const { password, passphrase } = credential
  const hasBoth = passphrase.byteLength > 0
  const own = { credential: password, amk: hasBoth ? null : amk }
  const slot = await makeSlot(place, { type: 'password', ...order }, own, stretcher)
  if (!hasBoth) return [slot]
  const both = together(credential)
  try {
    return [slot, await makeSlot(place, { type: 'passphrase', ...order }, { credential: both, amk }, stretcher)]
  } finally {
    wipe(both)
  }
}
