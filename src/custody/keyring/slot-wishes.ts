/**
 * What an owner asks for besides the password, as steps that leave something that opens after each of them; and what the operator
 * does for an owner who is not there, which is to block app passwords.
 *
 * A blocked slot is still in the table, which only the owner can change: it answers as a wrong password does, and the owner's next
 * change of credentials drops it.
 */
import type { Secret } from '#lib/secret.ts'
import { PROTOCOL_WORDS, scopeText, scopeWords } from '../vault/protocol/scope.ts'
import { type Keyslot, LABEL_MAX } from '../vault/protocol/slot-table.ts'
import { isPrintable } from '../vault/protocol/table-fields.ts'
import { type ChangeDesk, NO_PASSPHRASE, ownerOf, revealed } from './change-desk.ts'
import { settle } from './key-changes.ts'
import type { AppPasswordWish } from './key-wishes.ts'
import { AppPasswordRefused, type KeyslotFacts, type OwnerSecrets } from './keyring.ts'
import { asked, checkLength, unlessDenied } from './refusals.ts'
import { firstSalt } from './scram-salts.ts'

const NO_SALT = Buffer.alloc(0)

/** Throws AppPasswordRefused. */
function checkWish({ label, scope, expires }: AppPasswordWish, now: number): string {
  const text = scopeText(scope)
  if (text === null)
    throw new AppPasswordRefused(`an app password is for ${PROTOCOL_WORDS.join(', ')}, one of them at least, and sign`)
  if (!isPrintable(label, LABEL_MAX))
    throw new AppPasswordRefused(`a label has 1 to ${LABEL_MAX} characters on one line`)
  if (expires !== null && expires <= now)
    throw new AppPasswordRefused('an app password must expire later than now; this one would have expired already')
  return text
}

export async function addAppPassword(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  wish: AppPasswordWish,
): Promise<{ readonly id: string; readonly password: Secret<string> } | null> {
  const { account, files, vault, clock, record, scramMark } = desk
  const created = clock.now()
  const scope = checkWish(wish, created)
  const secrets = ownerOf(owner)
  const { label, expires } = wish
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const salt = await firstSalt(desk)
    const order = { type: 'app', scope, label, created, expires: expires ?? 0, salt } as const
    const request = { account, table: octets, ...secrets, ...order }
    const answer = unlessDenied(await asked(account, vault.call('addCode', request)))
    if (!answer) return null
    await record('app-password.added', {
      slot: answer.slot,
      label,
      scope,
      ...(expires === null ? {} : { expires: new Date(expires).toISOString() }),
    })
    await scramMark.set()
    await files.writeTable(answer.table)
    return { id: answer.slot, password: revealed(answer.secret) }
  })
}

/** The named ones and the blocked ones. Throws AppPasswordRefused for an id of none. */
export async function revokeAppPasswords(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  ids: readonly string[],
): Promise<boolean> {
  const secrets = ownerOf(owner)
  const { account, files, vault, record } = desk
  return files.exclusively(async () => {
    const { table, octets } = await files.table()
    checkAppPasswords(table.slots, ids)
    const blocked = await files.blocked(table)
    const slots = [...new Set([...ids, ...blocked])]
    const request = { account, table: octets, ...secrets, slots }
    const answer = unlessDenied(await asked(account, vault.call('dropSlots', request)))
    if (!answer) return false
    await record('app-password.revoked', { slots: slots.join(',') })
    await files.writeTable(answer.table)
    if (blocked.length > 0) await files.writeBlocked([])
    return true
  })
}

function checkAppPasswords(slots: readonly Keyslot[], ids: readonly string[]): void {
  const known = new Set(slots.filter(({ type }) => type === 'app').map(({ id }) => id))
  const foreign = ids.find((id) => !known.has(id))
  if (foreign !== undefined) throw new AppPasswordRefused(`${foreign} is no app password of this account`)
}

/** Without the owner: for a stolen phone whose owner is at the telephone. Throws AppPasswordRefused. */
export async function blockSlots(desk: ChangeDesk, ids: readonly string[]): Promise<void> {
  const { files, record } = desk
  await files.exclusively(async () => {
    const { table } = await files.table()
    checkAppPasswords(table.slots, ids)
    await record('app-password.revoked', { slots: ids.join(','), blocked: true }, 'operator')
    await files.writeBlocked([...new Set([...(await files.blocked(table)), ...ids])])
  })
}

/** The code before counts until the new one is on the disk and the table that has it was read back. */
export async function reissueRecoveryCode(desk: ChangeDesk, owner: OwnerSecrets): Promise<Secret<string> | null> {
  const secrets = ownerOf(owner)
  const { account, files, vault, clock, record } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const code = { type: 'recovery', scope: '', label: '', expires: 0, salt: NO_SALT } as const
    const request = { account, table: octets, ...secrets, ...code, created: clock.now() }
    const answer = unlessDenied(await asked(account, vault.call('addCode', request)))
    if (!answer) return null
    await record('recovery.reissued')
    await files.writeTable(answer.table)
    await settle(desk, owner)
    return revealed(answer.secret)
  })
}

/** `next` null ends it. */
export async function setPassphrase(desk: ChangeDesk, owner: OwnerSecrets, next: Buffer | null): Promise<boolean> {
  const passphrase = next ?? NO_PASSPHRASE
  checkLength(passphrase)
  const secrets = ownerOf(owner)
  const { account, files, vault, clock, record } = desk
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, ...secrets, next: passphrase, created: clock.now() }
    const answer = unlessDenied(await asked(account, vault.call('setPassphrase', request)))
    if (!answer) return false
    await record(next ? 'passphrase.set' : 'passphrase.removed')
    await files.writeTable(answer.table)
    await settle(desk, { ...owner, passphrase })
    return true
  })
}

/** What everybody may know of the slots, with what stands beside the table. */
export async function keyslotFacts(
  { files }: ChangeDesk,
  lastUses: ReadonlyMap<string, number>,
): Promise<readonly KeyslotFacts[]> {
  const { table } = await files.table()
  const blocked = await files.blocked(table)
  return table.slots.map(({ id, type, label, scope, created, expires, scram }) => ({
    id,
    type,
    label,
    scope: scopeWords(scope),
    created,
    expires,
    isBlocked: blocked.includes(id),
    scram: scram !== null,
    lastUse: lastUses.get(id) ?? null,
  }))
}
