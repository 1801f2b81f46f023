/** What the operator has decided about escrow, read from the files that the configuration names. */
import { readFile } from 'node:fs/promises'
import { EscrowRefused } from './escrow.ts'
import { type MasterCertificate, readMasterCertificate } from './master-certificate.ts'
import { CONSENT_TEXT, OPT_OUT_TEXT } from './texts.ts'

/** The configuration's table, paths absolute. */
export interface EscrowSettings {
  readonly certificate: string
  readonly fingerprint: string
  readonly domains: readonly string[]
  readonly consentText: string
  readonly optOutText: string
  readonly label: string
}

export interface EscrowPolicy {
  readonly master: MasterCertificate
  readonly consentText: string
  /** The operator's name for this edition of the texts. */
  readonly label: string
}

/** A page or two; what nobody reads nobody agrees to. */
const TEXT_OCTETS_MAX = 64 * 1024

/**
 * null: escrow is off. Throws EscrowRefused when a file is missing, or the certificate is not the pinned one.
 */
export async function readPolicy(settings: EscrowSettings, now: number): Promise<EscrowPolicy | null> {
  const { certificate, fingerprint, consentText, label } = settings
  if (certificate === '') return null
  const master = readMasterCertificate(await fileOf(certificate, 'escrow.certificate'), fingerprint, now)
  return { master, label, consentText: await textOf(consentText, 'escrow.consentText', CONSENT_TEXT) }
}

/** Also where escrow is off by now: opting out must always be possible. */
export function readOptOutText({ optOutText }: EscrowSettings): Promise<string> {
  return textOf(optOutText, 'escrow.optOutText', OPT_OUT_TEXT)
}

/** Whether accounts of this domain are offered escrow. `keyOf`: how domains are compared. */
export function isOffered({ domains }: EscrowSettings, domain: string, keyOf: (domain: string) => string): boolean {
  return domains.length === 0 || domains.some((one) => keyOf(one) === keyOf(domain))
}

async function textOf(path: string, key: string, standard: string): Promise<string> {
  if (path === '') return standard
  const text = (await fileOf(path, key)).toString('utf8')
  if (text.trim() === '') throw new EscrowRefused(`${key}: ${path} is empty: owners must be told what they agree to`)
  return text
}

async function fileOf(path: string, key: string): Promise<Buffer> {
  try {
    const octets = await readFile(path)
    if (octets.length > TEXT_OCTETS_MAX)
      throw new EscrowRefused(`${key}: ${path} is longer than ${TEXT_OCTETS_MAX} octets`)
    return octets
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new EscrowRefused(`${key}: ${path} cannot be read: ${(error as Error).message}`)
  }
}
