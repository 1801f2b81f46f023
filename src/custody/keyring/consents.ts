/**
 * What owners agreed to, and what they took back: the whole text as they saw it, its hash and version, when, and a signature by the
 * account's own key over all of that, in `accounts/ID/consents/NNNN.json`. So neither the provider nor anybody else can say later that
 * another text was agreed to, or change one unseen. Nothing is ever overwritten: the newest decision on a subject counts, and each says
 * which one it is, so that an old one put behind a newer one is none.
 */
import { hash } from 'node:crypto'
import { basename, join } from 'node:path'
import { formatAddress } from '#formats/message/address.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { AccountId, Directory } from '../accounts/directory.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { AccountFiles } from './account-files.ts'
import { disk, makeFolder, pathsIn, readIfThere, replaceFile } from './durable-files.ts'
import { AccountKeysDamaged, type UnlockedKeys } from './keyring.ts'

export interface ConsentDesk {
  readonly dataDir: string
  readonly directory: Pick<Directory, 'account' | 'certificates'>
  readonly audit: Pick<AuditLog, 'record'>
  readonly clock: Clock
}

export interface ConsentWish {
  /** What it is about: `keys` that the provider makes and keeps locked, or `escrow`. */
  readonly subject: 'keys' | 'escrow'
  readonly decision: 'given' | 'withdrawn'
  /** As it was shown. */
  readonly text: string
  /** The operator's own name for this edition of the text; may be empty. */
  readonly label: string
}

export interface Consent extends ConsentWish {
  readonly account: AccountId
  readonly address: string
  /** SHA-256 of the text, lower-case hex. */
  readonly hash: string
  /** The first twelve digits of the hash, and the label. */
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface RecordedConsent extends Consent {
  /** 1 for the first of the account. */
  readonly number: number
  /** Fingerprint of the certificate that signed it; null when no certificate of the account has signed what stands there. */
  readonly signedBy: string | null
}

const FORMAT = 'letterlock consent 1'
const DIGITS = 4

/** How an edition of a text is named. */
export function consentVersion(text: string, label: string): string {
  return [hash('sha256', text).slice(0, 12), label].join(' ').trim()
}

const folderOf = (dataDir: string, account: AccountId) => join(dataDir, 'accounts', account, 'consents')

/**
 * Signs and keeps it; it is in the audit log before, and on the disk when this resolves. `keys` must be able to sign. Throws
 * NotWithThisCredential, and what the disk and the audit log throw.
 */
export async function recordConsent(
  { dataDir, directory, audit, clock }: ConsentDesk,
  keys: UnlockedKeys,
  wish: ConsentWish,
): Promise<Consent> {
  const { account } = keys
  const known = await directory.account(account)
  const address = known ? formatAddress(known.address) : ''
  const at = clock.now()
  const { subject, decision, text, label } = wish
  const version = consentVersion(text, label)
  const consent: Consent = { account, address, subject, decision, at, version, hash: hash('sha256', text), label, text }
  const event = decision === 'given' ? 'consent.given' : 'consent.withdrawn'
  const folder = folderOf(dataDir, account)
  await new AccountFiles(dataDir, account, disk).exclusively(async () => {
    const number = Math.max(0, ...(await numbered(folder)).map((one) => one.number)) + 1
    const statement = JSON.stringify({ format: FORMAT, number, ...consent })
    const signature = await keys.sign(Buffer.from(statement), at, { purpose: 'statement' })
    await audit.record({ event, account, address, actor: 'owner', detail: { subject, version, hash: consent.hash } })
    const content = Buffer.from(`${JSON.stringify({ statement, signature: asBuffer(signature).toString('base64') })}\n`)
    await makeFolder(disk, folder)
    await replaceFile(disk, join(folder, `${String(number).padStart(DIGITS, '0')}.json`), content)
  })
  return consent
}

async function numbered(folder: string): Promise<readonly { readonly path: string; readonly number: number }[]> {
  const found = (await pathsIn(folder, '.json')).map((path) => ({ path, number: Number(basename(path, '.json')) }))
  return found.filter(({ number }) => Number.isSafeInteger(number)).sort((a, b) => a.number - b.number)
}

/** Oldest first, each with who signed it. Throws AccountKeysDamaged for a file that is none of ours. */
export async function consentsOf(
  { dataDir, directory, clock }: Omit<ConsentDesk, 'audit'>,
  account: AccountId,
): Promise<readonly RecordedConsent[]> {
  const certificates = (await directory.certificates(account)).map(({ certificate }) => certificate)
  const found: RecordedConsent[] = []
  for (const { path, number } of await numbered(folderOf(dataDir, account))) {
    const { statement, signature, consent } = decoded(path, await readIfThere(path))
    const [by] = verifySignatures(signatureBodies(signature), Buffer.from(statement), certificates, clock.now())
    const isItself = consent.number === number && consent.hash === hash('sha256', consent.text)
    const isOwn = consent.account === account && isItself
    found.push({ ...consent, number, signedBy: isOwn ? (by?.certificate ?? null) : null })
  }
  return found
}

function decoded(path: string, octets: Buffer | null) {
  try {
    const { statement, signature } = JSON.parse(String(octets)) as { statement: string; signature: string }
    const { format, ...consent } = JSON.parse(statement) as Consent & {
      readonly format: string
      readonly number: number
    }
    if (format !== FORMAT || typeof consent.text !== 'string') throw new Error('another format')
    return { statement, signature: Buffer.from(signature, 'base64'), consent }
  } catch {
    throw new AccountKeysDamaged(`${path} is damaged. Restore it from a backup.`)
  }
}

function signatureBodies(octets: Buffer): readonly Uint8Array[] {
  try {
    return [...readPackets(octets)].map(({ body }) => body)
  } catch {
    return []
  }
}
