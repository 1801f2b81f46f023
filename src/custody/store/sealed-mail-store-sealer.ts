/** Seals messages to an account's certificates; in device mode each is wrapped as PGP/MIME for the owner's device first. */
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { type EncryptionKey, parseCertificate } from '#formats/openpgp/certificate.ts'
import { type Sealed, seal } from '#formats/openpgp/seal.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import { encryptedIn, payloadOf, wrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { SealedMessage } from './indexed-mail-store.ts'
import { type NewMessage, NoCertificate, type Sealing } from './mail-store.ts'
import { recipientsOf } from './sealed-mail-store-opener.ts'
import { type EntryParts, encodeEntry } from './summary-entry.ts'

/** What the entry of a content holds besides its session key. */
type Beside = Omit<EntryParts, 'sessionKey'>

export class Sealer {
  /** Fingerprint of the certificate that mail at rest is sealed to. */
  readonly certificate: string
  /** What its sender sealed is for the owner's device to open. */
  get wrapsForDevice(): boolean {
    return this.#device !== null
  }
  readonly #key: EncryptionKey
  readonly #device: EncryptionKey | null
  readonly #recipients: ReadonlySet<string>

  /** Throws NoCertificate when there is none, or when one has no key to seal to, and MalformedOpenPgp. */
  constructor({ certificate, device }: Sealing) {
    if (!certificate) throw new NoCertificate('the owner has not set up keys yet')
    const { fingerprint, encryptionKeys } = parseCertificate(certificate)
    this.certificate = fingerprint
    this.#key = newestKey(encryptionKeys)
    this.#device = device && newestKey(parseCertificate(device).encryptionKeys)
    const names = encryptionKeys.map((key) => [key.fingerprint, asBuffer(key.keyId).toString('hex').toUpperCase()])
    this.#recipients = new Set(names.flat())
  }

  /** Whether a PKESK names a key of this certificate, by key id or fingerprint. */
  isFor(recipient: string): boolean {
    return this.#recipients.has(recipient)
  }

  seal(message: NewMessage): SealedMessage {
    const wrapped = this.#device && this.#opensHere(message.content) ? wrapFor(this.#device, message.content) : null
    const { content, summary } = wrapped ?? message
    const { sealed, entry } = this.#seal(content, { summary })
    const beside = seal([this.#key], entry, { beside: sealed })
    for (const secret of [sealed.sessionKey.key, entry]) wipe(secret)
    if (wrapped) for (const readable of [content, summary]) wipe(readable)
    return { ...message, content: sealed.message, summary: beside.message, sealedTo: this.certificate }
  }

  /** Also what is encrypted already, but to the certificate at rest: correspondents may go on using it, and its secret is here. */
  #opensHere(content: Bytes): boolean {
    const encrypted = encryptedIn(content)
    return encrypted === null || recipientsOf(encrypted).some((recipient) => this.isFor(recipient))
  }

  /** Octets for a content, under a new session key, and the entry for the index, which is the caller's to wipe. */
  reseal(content: Bytes, beside: Beside): { readonly octets: Buffer; readonly entry: Buffer } {
    const { sealed, entry } = this.#seal(content, beside)
    wipe(sealed.sessionKey.key)
    return { octets: sealed.message, entry }
  }

  #seal(content: Bytes, beside: Beside): { readonly sealed: Sealed; readonly entry: Buffer } {
    const sealed = seal([this.#key], content)
    const sessionKey = encodeSessionKey(sealed.sessionKey)
    const entry = encodeEntry({ ...beside, sessionKey })
    wipe(sessionKey)
    return { sealed, entry }
  }
}

/** The certificate's newest key. An expired one still seals: its owner can read, and nothing may rest in clear. */
function newestKey([key]: readonly EncryptionKey[]): EncryptionKey {
  if (!key) throw new NoCertificate('the certificate has no key that mail can be sealed to')
  return key
}

/** The summary is made of the wrapped form, so that it holds no more than that shows. */
function wrapFor(device: EncryptionKey, message: Bytes): { readonly content: Buffer; readonly summary: Bytes } {
  const payload = payloadOf(message)
  const sealed = seal([device], payload)
  wipe(sealed.sessionKey.key)
  if (payload.buffer !== message.buffer) wipe(payload)
  const content = wrapEncrypted(message, sealed.message)
  return { content, summary: encodeSummary(summarize(content)) }
}

const SEALERS_KEPT = 1000

/** The sealers of accounts, kept while their certificates are the same: what is prepared for a key is worth keeping. */
export class Sealers {
  readonly #sealing: (account: AccountId) => Promise<Sealing>
  readonly #kept = new Map<AccountId, { readonly sealing: Sealing; readonly sealer: Sealer }>()

  constructor(sealing: (account: AccountId) => Promise<Sealing>) {
    this.#sealing = sealing
  }

  async of(account: AccountId): Promise<Sealer> {
    const sealing = await this.#sealing(account)
    const known = this.#kept.get(account)
    if (known && isSame(known.sealing, sealing)) return known.sealer
    const sealer = new Sealer(sealing)
    if (this.#kept.size >= SEALERS_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(account, { sealing: copyOf(sealing), sealer })
    return sealer
  }

  forget(account: AccountId): void {
    this.#kept.delete(account)
  }
}

function isSame(a: Sealing, b: Sealing): boolean {
  return isSameOctets(a.certificate, b.certificate) && isSameOctets(a.device, b.device)
}

function isSameOctets(a: Bytes | null, b: Bytes | null): boolean {
  return a && b ? asBuffer(a).equals(b) : a === b
}

function copyOf({ certificate, device }: Sealing): Sealing {
  return { certificate: certificate && Buffer.from(certificate), device: device && Buffer.from(device) }
}
