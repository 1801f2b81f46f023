/**
 * The vault: the only holder of account master keys (AMK) and secret keys. It runs as a process of its own (main.ts), with
 * nothing but one socket to the keyring: no files beyond its own code, no network, no children, no environment.
 *
 * It promises: a front-end that was taken over gets the session keys of the messages it asks for, one by one and counted,
 * and never a key; what was secret is wiped when its operation or its last session is over; a wrong credential and an
 * unknown account cost the same work. It must never log, and never put text into an answer.
 *
 * Credential -> Argon2id (RFC 9106) -> HKDF (RFC 5869) -> verifier, and a key that unwraps the AMK; the AMK unlocks the secret
 * keys (RFC 9580 §10.2) and is wiped at once. What stays while an account has sessions: its secret keys and its index key.
 */
import { setImmediate } from 'node:timers/promises'
import { MalformedOpenPgp, UndecryptableSessionKey } from '#formats/openpgp/openpgp.ts'
import { type SecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import { CannotSign, signDetached } from '#formats/openpgp/sign.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { admit, admitByProof } from './credentials.ts'
import { addEscrow, checkMaster, makeMaster, openEscrow } from './escrow.ts'
import { masterKeys } from './generations.ts'
import { importKey, setEndToEnd } from './imported-keys.ts'
import { exportKeys, relink } from './key-changes.ts'
import { indexKeyOf, tryDecoy } from './keyslots.ts'
import { openLockedKey } from './locked-key.ts'
import { type AnswerOf, type OperationName, type RequestOf, STATEMENT } from './protocol/protocol.ts'
import type { SlotTable } from './protocol/slot-table.ts'
import { revokeKey, rotate } from './rotation.ts'
import { changePassword, createKeys, recover, resetKeys, settle, tableOf } from './slot-changes.ts'
import { addCode, dropSlots, setPassphrase } from './slot-wishes.ts'
import { Stretcher } from './stretcher.ts'
import { type Entrance, Forbidden, type UnlockedAccount, UnlockedAccounts } from './unlocked-accounts.ts'

/** Every operation of the protocol but the first. The octets of a request belong to the caller, who wipes them afterwards. */
export type Vault = {
  [N in Exclude<OperationName, 'configure'>]: (request: RequestOf<N>) => AnswerOf<N> | Promise<AnswerOf<N>>
}

export function openVault(options: RequestOf<'configure'>, clock: Clock): Vault {
  const stretcher = new Stretcher({ memory: options.memory, passes: options.passes }, options.waiting)
  const unlocked = new UnlockedAccounts(clock, options.graceMs, options.idleMs)
  return {
    create: (request) => createKeys(request, stretcher),
    reset: (request) => resetKeys(request, stretcher),
    changePassword: (request) => changePassword(request, stretcher),
    recover: (request) => recover(request, stretcher),
    settle: (request) => settle(request, stretcher),
    addCode: (request) => addCode(request, stretcher),
    dropSlots: (request) => dropSlots(request, stretcher),
    setPassphrase: (request) => setPassphrase(request, stretcher),
    relink: (request) => relink(request, stretcher),
    rotate: (request) => rotate(request, stretcher),
    importKey: (request) => importKey(request, stretcher),
    setEndToEnd: (request) => setEndToEnd(request, stretcher),
    revokeKey: (request) => revokeKey(request, stretcher),
    exportKeys: (request) => exportKeys(request, stretcher),
    addEscrow: (request) => addEscrow(request, stretcher),
    openEscrow: (request) => openEscrow(request, stretcher),
    makeMaster,
    checkMaster,
    unlock: (request) => unlock(request, unlocked, stretcher),
    unlockByProof: (request) => unlockByProof(request, unlocked),
    sessionKeys: ({ handle, pkesks }) => takeSessionKeys(unlocked, handle, pkesks),
    indexKeys: ({ handle }) => unlocked.at(handle, 'reads').indexKeys,
    sign: (request) => sign(request, unlocked),
    close({ handle }) {
      unlocked.close(handle)
      return {}
    },
    endAll({ account }) {
      unlocked.endAll(account)
      return {}
    },
    status: () => ({ handles: unlocked.handles, accounts: unlocked.accounts, stretches: stretcher.runs }),
  }
}

async function unlock(
  request: RequestOf<'unlock'>,
  unlocked: UnlockedAccounts,
  stretcher: Stretcher,
): Promise<AnswerOf<'unlock'>> {
  if (request.account === '') {
    await tryDecoy(request.password, stretcher)
    return { kind: 'wrong' }
  }
  const table = tableOf(request.account, request.table)
  const again = unlocked.reopen(table, request, request)
  if (again) return entered(again)
  const admission = await admit(table, request, request, stretcher)
  if (admission.kind !== 'admitted') return admission
  const { amk, grant } = admission
  if (!amk) return entered(unlocked.addProof(table.account, grant))
  return entered(unlocked.add(openAccount(table, request.keys, amk), table.mac, { credential: request, grant }))
}

function unlockByProof(request: RequestOf<'unlockByProof'>, unlocked: UnlockedAccounts): AnswerOf<'unlockByProof'> {
  const table = request.account === '' ? null : tableOf(request.account, request.table)
  const admission = admitByProof(table, request, request)
  if (!table || admission.kind === 'wrong') return { kind: 'wrong' }
  const { admitted, signature } = admission
  const { amk, grant } = admitted
  if (!amk) return { ...entered(unlocked.addProof(table.account, grant)), signature }
  // a proof is good once: there is nothing to recognise
  const entry = { credential: null, grant }
  const again = unlocked.join(table, grant)
  if (again) wipe(amk)
  return { ...entered(again ?? unlocked.add(openAccount(table, request.keys, amk), table.mac, entry)), signature }
}

const entered = ({ handle, grant: { slot, reads, signs } }: Entrance) =>
  ({ kind: 'unlocked', handle, slot, reads: reads ? 'yes' : 'no', signs: signs ? 'yes' : 'no' }) as const

/** Takes the AMK over. */
function openAccount(table: SlotTable, locked: RequestOf<'unlock'>['keys'], amk: Buffer): UnlockedAccount {
  using masters = masterKeys(table, amk)
  const keys: SecretKeys[] = []
  try {
    for (const key of locked) {
      const master = masters.at(key.generation)
      if (master) keys.push(openLockedKey({ account: table.account, generation: key.generation }, key, master))
    }
  } catch (error) {
    for (const key of keys) key.wipe()
    throw error
  }
  const { current, endToEnd } = table
  keys.sort((a, b) => Number(b.certificate.fingerprint === current) - Number(a.certificate.fingerprint === current))
  return {
    account: table.account,
    keys,
    endToEnd: endToEnd ? (endToEnd.custody === 'held' ? endToEnd.fingerprint : '') : current,
    indexKeys: masters.generations.map((generation) => indexKeyOf(masters.at(generation)!)),
  }
}

/** So that no mail is a statement, and no statement mail: one key may sign both. */
const isStatement = (content: Bytes): boolean => asBuffer(content.subarray(0, STATEMENT.length)).equals(STATEMENT)

function sign(request: RequestOf<'sign'>, unlocked: UnlockedAccounts): AnswerOf<'sign'> {
  const { handle, content, purpose, created, recipients } = request
  const { keys, endToEnd } = unlocked.at(handle, purpose === 'statement' ? 'states' : 'signs')
  if (isStatement(content) !== (purpose === 'statement')) throw new Forbidden('not for this purpose')
  const key = purpose === 'statement' ? keys[0] : keys.find((one) => one.certificate.fingerprint === endToEnd)
  if (!key) throw new Forbidden('the key is not here')
  try {
    return { signature: signDetached(key, content, created, { recipients }) }
  } catch (error) {
    // Expired, or for encryption alone: mail goes without a signature, as it does for whoever may not sign.
    throw error instanceof CannotSign ? new Forbidden('the key may not sign now') : error
  }
}

async function takeSessionKeys(
  unlocked: UnlockedAccounts,
  handle: number,
  pkesks: readonly Bytes[],
): Promise<AnswerOf<'sessionKeys'>> {
  const answers: AnswerOf<'sessionKeys'>[number][] = []
  for (const [index, pkesk] of pkesks.entries()) {
    // One with a large RSA key takes as long as hundreds of others: everybody gets a turn in between.
    if (index > 0) await setImmediate()
    // Asked each time: the account may have ended meanwhile.
    answers.push(takeSessionKey(unlocked.at(handle, 'reads').keys, pkesk))
  }
  return answers
}

function takeSessionKey(keys: readonly SecretKeys[], pkesk: Bytes): AnswerOf<'sessionKeys'>[number] {
  try {
    for (const key of keys) {
      const found = sessionKeyOf(key, pkesk)
      if (found) return { kind: 'key', key: encodeSessionKey(found) }
    }
    return { kind: 'foreign' }
  } catch (error) {
    if (error instanceof UndecryptableSessionKey) return { kind: 'broken' }
    // What cannot be read is addressed to nobody.
    if (error instanceof MalformedOpenPgp) return { kind: 'foreign' }
    throw error
  }
}
