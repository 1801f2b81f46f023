/** Who holds the key that others write to: a device of its owner alone, or the provider again. */
import { hash } from 'node:crypto'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { judgeKey } from '#formats/openpgp/key-policy.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import { CERTIFICATE_OCTETS_MAX, type RequestOf } from '../vault/protocol/protocol.ts'
import { AccountFiles } from './account-files.ts'
import { type AccountReading, endToEndOf } from './account-reading.ts'
import { type ChangeDesk, ownerOf } from './change-desk.ts'
import { disk } from './durable-files.ts'
import { beginChange, makeChange } from './finishing.ts'
import type { CustodyFacts, ImportedKey, ManagedKey, NewKeyWish } from './key-wishes.ts'
import { KeyRefused, type OwnerSecrets } from './keyring.ts'
import { asked, checkLength, refused, unlessDenied } from './refusals.ts'
import { makeKey } from './rotation.ts'

export async function useDeviceCertificate(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  certificate: Bytes,
  addresses: readonly string[],
): Promise<Omit<ImportedKey, 'retired'> | null> {
  const now = desk.clock.now()
  const { verdict, fingerprint, refusals, warnings } = judgeKey(certificate, { addresses, now, held: null })
  if (verdict !== 'current' || fingerprint === null) throw new KeyRefused(refusals)
  const cleaned = cleanCertificate(certificate, now)
  if (cleaned.length > CERTIFICATE_OCTETS_MAX) {
    throw refused('too-large', 'The certificate is too large. Export it minimal: gpg --export-options export-minimal')
  }
  return desk.files.exclusively(async () => {
    const reading = await beginChange(desk)
    checkDevice(reading, fingerprint)
    const certificateHash = hash('sha256', cleaned, 'buffer')
    const other = { kind: 'other', fingerprint, custody: 'device', certificateHash } as const
    const table = await askedForEndToEnd(desk, owner, reading, other)
    if (!table) return null
    await desk.record('custody.changed', { mode: 'device', fingerprint })
    await desk.files.writeDeviceCertificate(cleaned)
    await makeChange(desk, { current: reading.table.current, endToEnd: fingerprint, retired: [] }, table)
    return { fingerprint, certificate: cleaned, warnings }
  })
}

function checkDevice({ table, keys, parked, certificates }: AccountReading, fingerprint: string): void {
  if (table.current === '') {
    throw refused('no-key', 'The account has no key for what it stores yet. Make one first: key generate.')
  }
  if ([...keys, ...parked].some((key) => key.fingerprint === fingerprint)) {
    throw refused(
      'held',
      'The secret of this key has been on the server, so it is not on your device alone. Make a new key there and bring its certificate.',
    )
  }
  if (certificates.some((one) => one.fingerprint === fingerprint && one.revocation)) {
    throw refused('revoked', 'This certificate is published as revoked here. Make a new key on the device.')
  }
}

async function askedForEndToEnd(
  { account, vault }: ChangeDesk,
  owner: OwnerSecrets,
  { octets }: AccountReading,
  endToEnd: RequestOf<'setEndToEnd'>['endToEnd'],
): Promise<Bytes | null> {
  const secrets = ownerOf(owner)
  checkLength(secrets.password, secrets.passphrase)
  const call = vault.call('setEndToEnd', { account, table: octets, ...secrets, endToEnd })
  return unlessDenied(await asked(account, call))?.table ?? null
}

/** First others write to what mail rests under, then that becomes a key of ours: each is a whole change. */
export async function useManaged(desk: ChangeDesk, owner: OwnerSecrets, wish: NewKeyWish): Promise<ManagedKey | null> {
  return desk.files.exclusively(async () => {
    let reading = await beginChange(desk)
    const { current, endToEnd } = reading.table
    if (current === '') throw refused('no-key', 'The account has no key yet. Make one: key generate.')
    const isRevoked = reading.certificates.some((one) => one.fingerprint === current && one.revocation)
    const isMade = reading.keys[0]?.origin === 'made' && !isRevoked
    if (endToEnd) {
      const table = await askedForEndToEnd(desk, owner, reading, { kind: 'same' })
      if (!table) return null
      await desk.record('custody.changed', { mode: isMade ? 'managed' : 'own', fingerprint: current })
      await makeChange(desk, { current, endToEnd: current, retired: [] }, table)
      reading = await beginChange(desk)
    }
    if (isMade) return { fingerprint: current, made: null }
    const made = await makeKey(desk, owner, reading, { ...wish, renews: 'key' })
    return made && { fingerprint: made.fingerprint, made }
  })
}

export async function custodyFacts({ files }: Pick<ChangeDesk, 'files'>): Promise<CustodyFacts> {
  const { table } = await files.table()
  const keys = await files.lockedKeys()
  const brought = keys.filter(({ origin }) => origin === 'brought').map(({ fingerprint }) => fingerprint)
  const endToEnd = endToEndOf(table)
  const isOwn = brought.includes(table.current) || brought.includes(endToEnd)
  const mode = table.endToEnd?.custody === 'device' ? 'device' : isOwn ? 'own' : 'managed'
  return { mode: table.current === '' ? 'none' : mode, current: table.current, endToEnd, brought }
}

/** Without a keyring: what stands in the account's files. Throws AccountKeysDamaged. */
export const readCustody = (dataDir: string, account: AccountId): Promise<CustodyFacts> =>
  custodyFacts({ files: new AccountFiles(dataDir, account, disk) })
