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
import { signDetached } from '#formats/openpgp/sign.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { exportKeys, relink } from './key-changes.ts'
import { indexKey, openTable } from './keyslots.ts'
import { openLockedKey } from './locked-key.ts'
import type { AnswerOf, OperationName, RequestOf } from './protocol/protocol.ts'
import type { SlotTable } from './protocol/slot-table.ts'
import { changePassword, createKeys, recover, resetKeys, settle, tableOf } from './slot-changes.ts'
import { Stretcher } from './stretcher.ts'
import { type UnlockedAccount, UnlockedAccounts } from './unlocked-accounts.ts'

/** Every operation of the protocol but the first. The octets of a request belong to the caller, who wipes them afterwards. */
export type Vault = {
  [N in Exclude<OperationName, 'configure'>]: (request: RequestOf<N>) => AnswerOf<N> | Promise<AnswerOf<N>>
}

/** Session keys taken out in one go before others get their turn: about 5 ms. */
const BATCH = 32

export function openVault(options: RequestOf<'configure'>, clock: Clock): Vault {
  const stretcher = new Stretcher({ memory: options.memory, passes: options.passes }, options.waiting)
  const unlocked = new UnlockedAccounts(clock, options.graceMs)
  return {
    create: (request) => createKeys(request, stretcher),
    reset: (request) => resetKeys(request, stretcher),
    changePassword: (request) => changePassword(request, stretcher),
    recover: (request) => recover(request, stretcher),
    settle: (request) => settle(request, stretcher),
    relink: (request) => relink(request, stretcher),
    exportKeys: (request) => exportKeys(request, stretcher),
    unlock: (request) => unlock(request, unlocked, stretcher),
    sessionKeys: ({ handle, pkesks }) => takeSessionKeys(unlocked, handle, pkesks),
    indexKey: ({ handle }) => ({ key: unlocked.at(handle).indexKey }),
    sign: ({ handle, content, created }) => ({
      signature: signDetached(unlocked.at(handle).keys[0]!, content, created),
    }),
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
  { account, table: octets, keys, credential }: RequestOf<'unlock'>,
  unlocked: UnlockedAccounts,
  stretcher: Stretcher,
): Promise<AnswerOf<'unlock'>> {
  const table = account === '' ? null : tableOf(account, octets)
  const again = table ? unlocked.reopen(account, table.mac, credential) : null
  if (again !== null) return { kind: 'unlocked', handle: again }
  const amk = await openTable(table, credential, stretcher)
  if (!amk || !table) return { kind: 'wrong' }
  try {
    return { kind: 'unlocked', handle: unlocked.add(openAccount(table, keys, amk), table.mac, credential) }
  } finally {
    wipe(amk)
  }
}

function openAccount(table: SlotTable, locked: RequestOf<'unlock'>['keys'], amk: Bytes): UnlockedAccount {
  const keys: SecretKeys[] = []
  try {
    for (const key of locked) keys.push(openLockedKey(table, key, amk))
  } catch (error) {
    for (const key of keys) key.wipe()
    throw error
  }
  // What signs is the key of the current certificate.
  keys.sort(
    (a, b) => Number(b.certificate.fingerprint === table.current) - Number(a.certificate.fingerprint === table.current),
  )
  return { account: table.account, keys, indexKey: indexKey(amk) }
}

async function takeSessionKeys(
  unlocked: UnlockedAccounts,
  handle: number,
  pkesks: readonly Bytes[],
): Promise<AnswerOf<'sessionKeys'>> {
  const answers: AnswerOf<'sessionKeys'>[number][] = []
  for (const [index, pkesk] of pkesks.entries()) {
    if (index > 0 && index % BATCH === 0) await setImmediate()
    // Asked each time: the account may have ended meanwhile.
    answers.push(takeSessionKey(unlocked.at(handle).keys, pkesk))
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
