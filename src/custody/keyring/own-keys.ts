/**
 * Keys that owners bring, as steps after each of which everything opens that opened before. A key that is here already and comes with
 * a renewed certificate is locked anew beside the old one; whichever of the two fits what the directory publishes counts.
 */
import { judgeKey } from '#formats/openpgp/key-policy.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { StoredCertificate } from '../accounts/directory.ts'
import {
  type AnswerOf,
  BROUGHT_KEYS_MAX,
  BROUGHT_OCTETS_MAX,
  CREDENTIAL_OCTETS_MAX,
  TSK_OCTETS_MAX,
} from '../vault/protocol/protocol.ts'
import { decodeTable } from '../vault/protocol/slot-table.ts'
import { type AccountReading, endToEndOf } from './account-reading.ts'
import { type ChangeDesk, NO_PASSPHRASE, ownerOf } from './change-desk.ts'
import { beginChange, makeChange } from './finishing.ts'
import { revocationByOwner } from './key-revocation.ts'
import type { ImportedKey, ImportWish } from './key-wishes.ts'
import { KeyRefused, type OwnerSecrets } from './keyring.ts'
import { digestText, type LockedKeyFile } from './locked-key-file.ts'
import { asked, checkLength, refused, unlessDenied } from './refusals.ts'

type Answer = AnswerOf<'importKey'>
type Imported = Extract<Answer, { kind: 'imported' }>
type Why = Extract<Answer, { kind: 'unreadable' }>['why']

const UNREADABLE: Readonly<Record<Why, { readonly code: string; readonly text: string }>> = {
  'not a secret key': {
    code: 'unreadable',
    text: 'This is not one OpenPGP secret key of version 4 or 6. Export one: gpg --export-secret-keys FINGERPRINT',
  },
  locked: { code: 'locked', text: 'The key is locked: its passphrase is needed.' },
  'wrong passphrase': { code: 'wrong-passphrase', text: 'The passphrase does not open this key.' },
  'unknown lock': {
    code: 'unknown-lock',
    text:
      'The key is locked in a way that is not opened here, or its secrets are not in the file but on a smartcard. Export it where ' +
      'the secret is, locked with AES: gpg --s2k-cipher-algo AES256 --s2k-digest-algo SHA256 --export-secret-keys FINGERPRINT. ' +
      'A key on a smartcard can be used with its certificate alone: --device',
  },
  'halves do not match': {
    code: 'halves-do-not-match',
    text: 'A public key in the file does not belong to its secret key. The file is damaged or was changed by somebody: export the key again.',
  },
  'too large': {
    code: 'too-large',
    text: 'There is too much in the file for one key. Export it without what others have added: gpg --export-options export-minimal --export-secret-keys FINGERPRINT',
  },
}

export async function importKey(desk: ChangeDesk, owner: OwnerSecrets, wish: ImportWish): Promise<ImportedKey | null> {
  checkLength(...Object.values(ownerOf(owner)))
  if (wish.tsk.length > TSK_OCTETS_MAX) throw new KeyRefused([UNREADABLE['too large']])
  if ((wish.keyPassphrase?.length ?? 0) > CREDENTIAL_OCTETS_MAX) throw new KeyRefused([UNREADABLE['wrong passphrase']])
  return desk.files.exclusively(async () => {
    const reading = await beginChange(desk)
    if (wish.use === 'end-to-end' && reading.table.current === '') {
      throw refused('no-key', 'The account has no key for what it stores yet. Make one first: key generate.')
    }
    const imported = await askedToImport(desk, owner, reading, wish)
    if (!imported) return null
    checkRoom(reading, imported)
    checkDevice(reading, imported, wish)
    const retired = await retiredFor(desk, owner, reading, { imported, wish })
    const { fingerprint, certificate } = imported
    await desk.record('key.imported', { fingerprint, use: wish.use, retired: retired?.fingerprint ?? '' })
    if (retired) await desk.files.writeRevocation(retired.fingerprint, retired.sealed, '.fresh')
    await keep(desk, reading, imported)
    const names = { ...namesIn(imported), retired: retired ? [retired.fingerprint] : [] }
    if (wish.use === 'reading') await listForReading(desk, reading, imported)
    else await makeChange(desk, names, imported.table)
    const { warnings } = judgeKey(certificate, { ...wish, now: desk.clock.now(), held: imported.held })
    return { fingerprint, certificate: Buffer.from(certificate), warnings, retired: names.retired }
  })
}

async function askedToImport(
  { account, vault, clock }: ChangeDesk,
  owner: OwnerSecrets,
  { octets, certificates }: AccountReading,
  { tsk, keyPassphrase, use, addsSubkey, addresses }: ImportWish,
): Promise<Imported | null> {
  const created = clock.now()
  const key = { tsk, keyPassphrase: keyPassphrase ?? NO_PASSPHRASE, use, addresses }
  const order = { ...key, addsSubkey: addsSubkey ? 'yes' : 'no', created } as const
  const call = vault.call('importKey', { account, table: octets, ...ownerOf(owner), ...order })
  const answer = unlessDenied(await asked(account, call))
  if (!answer) return null
  if (answer.kind === 'unreadable') throw new KeyRefused([UNREADABLE[answer.why]])
  if (answer.kind === 'refused') {
    throw new KeyRefused(judgeKey(answer.certificate, { addresses, now: created, held: answer.held }).refusals)
  }
  const isRevoked = certificates.some((one) => one.fingerprint === answer.fingerprint && one.revocation)
  if (isRevoked && use !== 'reading') {
    throw refused('revoked', 'This key is published as revoked here. It can only be kept to read old mail.')
  }
  return answer
}

/** All keys of an account go to the vault together at each login: what does not fit would lock the owner out. */
function checkRoom({ keys, parked }: AccountReading, { fingerprint, certificate, locked }: Imported): void {
  const others = [...keys, ...parked].filter((key) => key.origin === 'brought' && key.fingerprint !== fingerprint)
  const brought = [...others, { certificate, locked }]
  const octets = brought.reduce((sum, key) => sum + key.certificate.byteLength + key.locked.byteLength, 0)
  if (brought.length <= BROUGHT_KEYS_MAX && octets <= BROUGHT_OCTETS_MAX) return
  throw refused(
    'full',
    `An account has room for ${BROUGHT_KEYS_MAX} keys of its owner's own, of ${BROUGHT_OCTETS_MAX >> 20} MiB together. Export this one minimal: gpg --export-options export-minimal --export-secret-keys FINGERPRINT`,
  )
}

/** Others write to it, and believe that the server cannot read what they write. */
function checkDevice({ table: { endToEnd } }: AccountReading, { fingerprint }: Imported, { use }: ImportWish): void {
  if (use !== 'reading' || endToEnd?.custody !== 'device' || endToEnd.fingerprint !== fingerprint) return
  throw refused(
    'on-device',
    'This is the key on your device that others write to. To let the server hold its secret from now on: --use end-to-end',
  )
}

/** The managed key that nobody uses any more, and its revocation, sealed. */
async function retiredFor(
  desk: ChangeDesk,
  owner: OwnerSecrets,
  reading: AccountReading,
  { imported, wish }: { readonly imported: Imported; readonly wish: ImportWish },
): Promise<{ readonly fingerprint: string; readonly sealed: Buffer } | null> {
  const fingerprint = reading.table.current
  const isMade = reading.keys.some((key) => key.fingerprint === fingerprint && key.origin === 'made')
  if (wish.use !== 'both' || wish.keepsOld || !isMade || fingerprint === imported.fingerprint) return null
  const text = `superseded by ${imported.fingerprint}`
  const revocation = await revocationByOwner(desk, owner, reading, { fingerprint, reason: 1, text })
  if (!revocation) return null
  return { fingerprint, sealed: await desk.revocations.seal({ account: desk.account, fingerprint }, revocation) }
}

function namesIn({ table }: Imported) {
  const next = decodeTable(table)
  return { current: next.current, endToEnd: endToEndOf(next) }
}

const knownIn = ({ certificates }: AccountReading, fingerprint: string): StoredCertificate | undefined =>
  certificates.find((one) => one.fingerprint === fingerprint)

/** The key is on the disk under the present master key when this resolves, whatever was there of it before. */
async function keep(desk: ChangeDesk, reading: AccountReading, imported: Imported): Promise<void> {
  const { account, files, directory, clock } = desk
  const { fingerprint, locked } = imported
  const certificate = asBuffer(imported.certificate)
  const before = [...reading.keys, ...reading.parked].find((one) => one.fingerprint === fingerprint)
  const { since, origin } = before ?? { since: clock.now(), origin: 'brought' as const }
  const { generation } = reading.table
  const digest = digestText(reading.table.digest)
  const key: LockedKeyFile = { fingerprint, generation, digest, since, origin, certificate, locked }
  if (!before) return files.writeLockedKey(key)
  await files.writeLockedKey(key, 'renewed')
  if (knownIn(reading, fingerprint)?.custody === 'held') {
    await directory.replaceCertificate(account, fingerprint, { certificate, custody: 'held' })
  }
  await files.adoptRenewedKey(fingerprint)
}

async function listForReading(
  { account, directory, clock }: ChangeDesk,
  reading: AccountReading,
  { fingerprint, certificate }: Imported,
): Promise<void> {
  if (knownIn(reading, fingerprint)) return
  const facts = { fingerprint, certificate: Buffer.from(certificate), since: clock.now() }
  await directory.addCertificate(account, { ...facts, use: 'reading', custody: 'held' })
}
