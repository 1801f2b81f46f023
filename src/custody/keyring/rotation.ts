/**
 * New keys for an account: its first one, another one, another master key. The certificate that is retired stays in the directory to
 * read old mail, revoked; one that its owner brought is not ours to revoke.
 */
import type { AnswerOf } from '../vault/protocol/protocol.ts'
import { decodeTable, type SlotTable } from '../vault/protocol/slot-table.ts'
import type { AccountReading } from './account-reading.ts'
import { type ChangeDesk, ownerOf, revealed } from './change-desk.ts'
import { beginChange, makeChange } from './finishing.ts'
import { dropBlocked } from './key-changes.ts'
import type { EscrowWish, NewKeyWish, Renewal, RotatedKey, RotationWish } from './key-wishes.ts'
import type { OwnerSecrets } from './keyring.ts'
import { digestText } from './locked-key-file.ts'
import { asked, refused, unlessDenied } from './refusals.ts'

type Rotated = Extract<AnswerOf<'rotate'>, { kind: 'rotated' }>
type Renews = 'key' | 'end-to-end' | 'master'

const NOTHING = Buffer.alloc(0)

/** null: wrong password. Throws KeyRefused for an account that has no such key to renew. */
export async function rotateKey(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  { renews = 'key', ...wish }: RotationWish,
): Promise<RotatedKey | null> {
  return desk.files.exclusively(async () => {
    const reading = await beginChange(desk)
    if (reading.table.current === '') throw refused('no-key', 'The account has no key yet. Make one: key generate.')
    if (renews === 'end-to-end' && reading.table.endToEnd?.custody === 'device') {
      throw refused(
        'on-device',
        'The key that others write to is on a device of its owner: renew it there, and import its certificate.',
      )
    }
    return makeKey(desk, owner, reading, { ...wish, renews })
  })
}

/** Hold the lock. null: wrong password. */
export async function makeKey(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  reading: AccountReading,
  wish: NewKeyWish & EscrowWish & { readonly renews: 'key' | 'end-to-end' },
): Promise<RotatedKey | null> {
  const made = await askedToRotate(desk, owner, reading, wish)
  if (!made) return null
  const { fingerprint } = made
  const retired = retiredIn(reading, made)
  const isFirst = reading.table.current === ''
  await desk.record(isFirst ? 'key.generated' : 'key.rotated', {
    fingerprint,
    renews: wish.renews,
    retired: retired.join(','),
  })
  return keptKey(desk, reading, made, { renews: wish.renews, retired })
}

/** The first key of an account that began without one. null: wrong password. Throws KeyRefused when it has one. */
export async function generateKey(desk: ChangeDesk, owner: OwnerSecrets, wish: NewKeyWish): Promise<RotatedKey | null> {
  return desk.files.exclusively(async () => {
    const reading = await beginChange(desk)
    if (reading.table.current !== '') {
      throw refused('has-key', `The account has the key ${reading.table.current} already. To replace it: key rotate.`)
    }
    return makeKey(desk, owner, reading, { ...wish, renews: 'key' })
  })
}

/** null: wrong password. */
export async function renewMaster(desk: ChangeDesk, owner: OwnerSecrets, wish: EscrowWish): Promise<Renewal | null> {
  return desk.files.exclusively(async () => {
    const reading = await beginChange(desk)
    const none = { userIds: [], algorithm: 'curve25519' } as const
    const made = await askedToRotate(desk, owner, reading, { ...none, ...wish, renews: 'master' })
    if (!made) return null
    await desk.record('key.rotated', { renews: 'master' })
    await desk.files.writeTable(made.table)
    return spared(made)
  })
}

/** What is blocked is not taken along: whoever has such an app password and the disk must not get the new AMK. */
async function askedToRotate(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  { keys }: AccountReading,
  wish: NewKeyWish & EscrowWish & { readonly renews: Renews },
): Promise<Rotated | null> {
  const { account, files, vault, clock } = desk
  const secrets = ownerOf(owner)
  await dropBlocked(desk, owner)
  const { table, octets } = await files.table()
  const { renews, userIds, algorithm, escrow = 'keep' } = wish
  const master = escrow === 'keep' ? await masterOf(desk, table) : NOTHING
  const order = { renews, userIds, algorithm, escrow, master, created: clock.now() }
  const made = unlessDenied(
    await asked(account, vault.call('rotate', { account, table: octets, keys, ...secrets, ...order })),
  )
  if (made && escrow === 'drop') await desk.record('escrow.opted-out')
  return made
}

/** A slot that cannot be sealed again must not fall away in silence. */
async function masterOf({ files }: ChangeDesk, { slots }: SlotTable): Promise<Uint8Array> {
  const [wanted, other] = new Set(slots.flatMap(({ kdf }) => (kdf.kind === 'openpgp' ? [kdf.fingerprint] : [])))
  if (wanted === undefined) return NOTHING
  const master = other === undefined ? await files.masterCertificate(wanted) : null
  if (master) return master
  throw refused(
    'escrow',
    `The account is in escrow, and the certificate of the master key ${wanted} is missing. Opt out first, or agree to the present one.`,
  )
}

function retiredIn({ keys }: AccountReading, { retired }: Rotated): readonly string[] {
  const made = new Set(keys.filter(({ origin }) => origin === 'made').map(({ fingerprint }) => fingerprint))
  return retired.map(({ fingerprint }) => fingerprint).filter((one) => made.has(one))
}

/** Key and revocations before the table that names the key: a table never names what is not there. */
async function keptKey(
  desk: ChangeDesk,
  { table }: AccountReading,
  made: Rotated,
  { renews, retired }: { readonly renews: Renews; readonly retired: readonly string[] },
): Promise<RotatedKey> {
  const { account, files, revocations, clock } = desk
  const { fingerprint, certificate, locked } = made
  const { generation, digest } = decodeTable(made.table)
  const facts = { fingerprint, generation, digest: digestText(digest), since: clock.now(), origin: 'made' } as const
  await files.writeLockedKey({ ...facts, certificate, locked })
  await files.writeRevocation(fingerprint, await revocations.seal({ account, fingerprint }, made.revocation))
  for (const one of made.retired.filter((each) => retired.includes(each.fingerprint))) {
    const sealed = await revocations.seal({ account, fingerprint: one.fingerprint }, one.revocation)
    await files.writeRevocation(one.fingerprint, sealed, '.fresh')
  }
  const isRest = renews === 'key'
  const endToEnd = isRest ? (table.endToEnd?.fingerprint ?? fingerprint) : fingerprint
  await makeChange(desk, { current: isRest ? fingerprint : table.current, endToEnd, retired }, made.table)
  return { fingerprint, certificate, retired, ...spared(made) }
}

const spared = ({ ended, recoveryCode }: Rotated) => ({
  ended,
  recoveryCode: recoveryCode.byteLength === 0 ? null : revealed(recoveryCode),
})
