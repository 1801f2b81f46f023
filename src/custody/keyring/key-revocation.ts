/** Certificates that are given up: by the key itself while it is here, or with a revocation that its owner made elsewhere. */
import { readRevocation } from '#formats/openpgp/revocation.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type AccountReading, endToEndOf } from './account-reading.ts'
import { type ChangeDesk, ownerOf } from './change-desk.ts'
import { beginChange } from './finishing.ts'
import type { RevocationWish, UploadedRevocation } from './key-wishes.ts'
import { KeyRefused, type OwnerSecrets } from './keyring.ts'
import { asked, refused, unlessDenied } from './refusals.ts'

const isInUse = ({ table }: AccountReading, fingerprint: string) =>
  fingerprint === table.current || fingerprint === endToEndOf(table)

export async function revokeKey(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  wish: RevocationWish,
): Promise<{ readonly wasInUse: boolean } | null> {
  const { account, files, directory } = desk
  const { fingerprint, reason } = wish
  return files.exclusively(async () => {
    const reading = await beginChange(desk)
    const known = reading.certificates.find((one) => one.fingerprint === fingerprint)
    if (!known) throw refused('unknown', `The account has no certificate ${fingerprint}. It has: see key list.`)
    if (known.revocation) throw refused('revoked', `${fingerprint} is revoked already.`)
    const wasInUse = isInUse(reading, fingerprint)
    if (wasInUse && !wish.isForced) {
      throw refused(
        'in-use',
        `${fingerprint} is in use: nobody could write to the account encrypted. Let another key take over, which revokes this one: key rotate. To revoke it all the same: --force`,
      )
    }
    const revocation = await revocationByOwner(desk, owner, reading, wish)
    if (!revocation) return null
    await desk.record('key.revoked', { fingerprint, reason, wasInUse })
    await directory.revokeCertificate(account, fingerprint, revocation)
    return { wasInUse }
  })
}

/** null: wrong password. Throws KeyRefused when the secret of the primary key is not here. */
export async function revocationByOwner(
  { account, vault, clock }: ChangeDesk,
  owner: OwnerSecrets,
  { octets, keys }: AccountReading,
  { fingerprint, reason, text }: Omit<RevocationWish, 'isForced'>,
): Promise<Buffer | null> {
  const order = { fingerprint, reason, text, created: clock.now() }
  const call = vault.call('revokeKey', { account, table: octets, keys, ...ownerOf(owner), ...order })
  const answer = unlessDenied(await asked(account, call))
  if (answer?.kind === 'unknown') {
    throw new KeyRefused([
      {
        code: 'no-secret',
        text: `The secret of ${fingerprint} is not here, so it cannot be revoked here. Make a revocation where it is (gpg --gen-revoke FINGERPRINT) and bring it: key revocation`,
      },
    ])
  }
  return answer && Buffer.from(answer.revocation)
}

/** Needs no password: who has made it has the key. The first revocation of a certificate stays. */
export async function uploadRevocation(desk: ChangeDesk, octets: Bytes): Promise<UploadedRevocation | null> {
  const { account, files, directory } = desk
  return files.exclusively(async () => {
    const reading = await beginChange(desk)
    for (const { fingerprint, certificate, revocation } of reading.certificates) {
      const found = readRevocation(octets, certificate)
      if (!found) continue
      const uploaded = { fingerprint, isInUse: isInUse(reading, fingerprint), wasRevoked: revocation !== undefined }
      if (uploaded.wasRevoked) return uploaded
      await desk.record('key.revocation-uploaded', { fingerprint, isInUse: uploaded.isInUse }, 'operator')
      await directory.revokeCertificate(account, fingerprint, found)
      return uploaded
    }
    return null
  })
}
