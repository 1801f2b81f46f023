/** The certificates of accounts, as rows. The one added last is the newest. */
import type { Transaction } from 'kysely'
import { asBuffer } from '#lib/bytes.ts'
import { preparing } from '#lib/prepared.ts'
import type { Query } from '#lib/sqlite.ts'
import type { AccountId, CertificateUse, NewCertificate, StoredCertificate } from './directory.ts'
import type { DirectorySchema } from './schema.ts'

type Change = Transaction<DirectorySchema>

const certificatesOf = preparing<DirectorySchema>()((query, given: { id: AccountId }) =>
  query
    .selectFrom('certificate')
    .select(['fingerprint', 'certificate', 'since', 'revocation', 'purpose', 'custody'])
    .where('account_id', '=', given.id)
    .orderBy('generation', 'desc'),
)

/** Newest first. */
export async function readCertificates(
  query: Query<DirectorySchema>,
  id: AccountId,
): Promise<readonly StoredCertificate[]> {
  const rows = await certificatesOf(query, { id })
  const current = rows.findIndex(({ purpose }) => purpose === 'both' || purpose === 'rest')
  const endToEnd = rows.findIndex(({ purpose }) => purpose === 'both' || purpose === 'end-to-end')
  return rows.map(({ fingerprint, certificate, since, revocation, purpose, custody }, index) => ({
    fingerprint,
    certificate: asBuffer(certificate),
    since,
    use: purpose,
    custody,
    current: index === current,
    endToEnd: index === endToEnd,
    ...(revocation ? { revocation: asBuffer(revocation) } : {}),
  }))
}

async function nextGeneration(change: Change, id: AccountId): Promise<number> {
  const last = await change
    .selectFrom('certificate')
    .select((eb) => eb.fn.max('generation').as('generation'))
    .where('account_id', '=', id)
    .executeTakeFirst()
  return Number(last?.generation ?? 0) + 1
}

/** One that is there already stays where it is. */
export async function insertCertificate(change: Change, id: AccountId, certificate: NewCertificate): Promise<void> {
  await change
    .insertInto('certificate')
    .values({
      account_id: id,
      fingerprint: certificate.fingerprint,
      generation: await nextGeneration(change, id),
      certificate: certificate.certificate,
      since: certificate.since,
      revocation: certificate.revocation ?? null,
      purpose: certificate.use,
      custody: certificate.custody,
    })
    .onConflict((conflict) => conflict.columns(['account_id', 'fingerprint']).doNothing())
    .execute()
}

/** Makes it the newest. */
export async function changeUse(
  change: Change,
  id: AccountId,
  { fingerprint, use }: { readonly fingerprint: string; readonly use: CertificateUse },
): Promise<void> {
  await change
    .updateTable('certificate')
    .set({ purpose: use, generation: await nextGeneration(change, id) })
    .where('account_id', '=', id)
    .where('fingerprint', '=', fingerprint)
    .execute()
}

export type CertificateValues = Partial<Pick<StoredCertificate, 'certificate' | 'custody' | 'revocation'>>

export async function changeCertificate(
  change: Change,
  id: AccountId,
  { fingerprint, values }: { readonly fingerprint: string; readonly values: CertificateValues },
): Promise<void> {
  await change
    .updateTable('certificate')
    .set(values)
    .where('account_id', '=', id)
    .where('fingerprint', '=', fingerprint)
    .execute()
}
