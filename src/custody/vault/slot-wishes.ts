/** What an owner asks for besides the password: app passwords, a new recovery code, a separate passphrase. */
import { type Bytes, wipe } from '#lib/bytes.ts'
import { admitByProof, admitOwner, ownerSlots } from './credentials.ts'
import { makeSlot, type SlotOrder, TableTampered, trySlot } from './keyslots.ts'
import { checkNewPassword } from './password-rules.ts'
import { MalformedFrame } from './protocol/codec.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import { PROTOCOL_WORDS, rightsOf, scopeText, scopeWords } from './protocol/scope.ts'
import {
  decodeTable,
  type Keyslot,
  LABEL_MAX,
  SCRAM_ITERATIONS,
  SCRAM_SALT_OCTETS,
  type ScramTerms,
  type SlotTable,
  scramTerms,
} from './protocol/slot-table.ts'
import { isPrintable } from './protocol/table-fields.ts'
import { proofOf, scramKeys } from './scram-lock.ts'
import { allSlots, checkRoom, nextTable, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'
import { APP_PASSWORD, encodeCode, newCodeSecret, RECOVERY_CODE } from './typed-code.ts'
import { Forbidden } from './unlocked-accounts.ts'

/** Slots that app passwords leave free, so that password, passphrase and recovery code can always be changed. */
const ROOM_FOR_OWNER = 4

/** The older recovery slots stay until the table is settled. */
export async function addCode(request: RequestOf<'addCode'>, stretcher: Stretcher): Promise<AnswerOf<'addCode'>> {
  const order = orderOf(request)
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  const { amk } = owner
  const form = order.type === 'app' ? APP_PASSWORD : RECOVERY_CODE
  const secret = newCodeSecret(form)
  const shown = encodeCode(form, secret)
  try {
    checkRoom(allSlots(table), order.type === 'app' ? 1 + ROOM_FOR_OWNER : 1)
    const { reads, signs } = rightsOf(order.scope)
    // RFC 5802 §2.2: clients derive from the very text that they are given
    const scram = order.type === 'app' ? { scram: { password: shown, terms: termsFor(table, request.salt) } } : {}
    const lock = { credential: secret, amk: reads || signs ? amk : null, ...scram }
    const slot = await makeSlot(table, { ...order, sequence: table.sequence + 1 }, lock, stretcher)
    await checkOpens(table, slot, secret, stretcher)
    const next = nextTable(table, { slots: [...table.slots, slot] }, amk)
    if (slot.scram) checkProves(decodeTable(next), slot, shown)
    return { kind: 'added', table: next, slot: slot.id, secret: Buffer.from(shown) }
  } finally {
    for (const used of [amk, secret, shown]) wipe(used)
  }
}

/** One salt for all app passwords of an account: the server names it before it knows which one is used. */
const termsFor = (table: SlotTable, salt: Bytes): ScramTerms =>
  scramTerms(table) ?? { salt, iterations: SCRAM_ITERATIONS }

type CodeOrder = Required<Omit<SlotOrder, 'sequence'>>

/** Throws MalformedFrame: an app password says what it is for, a recovery code is for everything. */
function orderOf({ type, scope, label, created, expires, salt }: RequestOf<'addCode'>): CodeOrder {
  const isNamed = scopeText(scopeWords(scope)) === scope && isPrintable(label, LABEL_MAX)
  const isApp = isNamed && salt.byteLength === SCRAM_SALT_OCTETS
  const isRecovery = scope === '' && label === '' && expires === 0 && salt.byteLength === 0
  if (type === 'app' ? !isApp : !isRecovery) throw new MalformedFrame('not the scope of such a slot')
  return { type, scope, label, created, expires: expires === 0 ? null : expires }
}

/** A code is shown once: it is tried before it is given out. What is stored is bound to this by the table's MAC. */
async function checkOpens(table: SlotTable, slot: Keyslot, secret: Bytes, stretcher: Stretcher): Promise<void> {
  const found = await trySlot(table, slot, secret, stretcher)
  if (found.kind === 'wrong') throw new TableTampered('a new slot does not open')
  if (found.kind === 'opened') wipe(found.amk)
}

/** The same by an exchange, for one that its scope allows. */
function checkProves(table: SlotTable, { id, scope, scram, created }: Keyslot, shown: Bytes): void {
  const use = PROTOCOL_WORDS.find((word) => scopeWords(scope).includes(word))
  const keys = scramKeys(shown, scram!)
  const authMessage = Buffer.from(`n=,r=${id}`)
  const proof = proofOf(keys, authMessage)
  const found = admitByProof(table, { authMessage, proof }, { use: use!, now: created })
  for (const used of [keys.clientKey, proof]) wipe(used)
  if (found.kind === 'wrong' || found.admitted.grant.slot !== id) throw new TableTampered('a new slot does not open')
  if (found.admitted.amk) wipe(found.admitted.amk)
}

/** Those that are gone already are passed over. Throws Forbidden for the slots that the owner logs in or recovers with. */
export async function dropSlots(request: RequestOf<'dropSlots'>, stretcher: Stretcher): Promise<AnswerOf<'dropSlots'>> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  try {
    const dropped = table.slots.filter(({ id }) => request.slots.includes(id))
    if (dropped.some(({ type }) => type !== 'app' && type !== 'escrow')) throw new Forbidden('not such a slot')
    const slots = table.slots.filter((slot) => !dropped.includes(slot))
    return { kind: 'changed', table: nextTable(table, { slots }, owner.amk) }
  } finally {
    wipe(owner.amk)
  }
}

/** Adds slots for the password with the next passphrase, or without one; the old ones stay until the table is settled. */
export async function setPassphrase(
  request: RequestOf<'setPassphrase'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'setPassphrase'>> {
  if (request.next.byteLength > 0) checkNewPassword(request.next)
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  const { amk } = owner
  try {
    checkRoom(allSlots(table), 2)
    const order = { created: request.created, sequence: table.sequence + 1 }
    const credential = { password: request.password, passphrase: request.next }
    const slots = await ownerSlots(table, order, { credential, amk }, stretcher)
    return { kind: 'changed', table: nextTable(table, { slots: [...table.slots, ...slots] }, amk) }
  } finally {
    wipe(amk)
  }
}
