/** encrypt and decrypt. */

import { dearmor, isArmored } from '#formats/openpgp/armor.ts'
import { type EncryptionKey, encryptionKeysAt } from '#formats/openpgp/certificate.ts'
import { loadEngine } from '#formats/openpgp/engine.ts'
import type { InnerMessage } from '#formats/openpgp/inner-message.ts'
import { signedFrame } from '#formats/openpgp/one-pass.ts'
import { IntegrityError, MalformedOpenPgp, UndecryptableSessionKey } from '#formats/openpgp/openpgp.ts'
import { sealPackets } from '#formats/openpgp/seal.ts'
import { type SecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import type { SessionKey } from '#formats/openpgp/session-key.ts'
import { splitMessage, unsealSigned } from '#formats/openpgp/unseal.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type Call, dateOf, requireText } from './call.ts'
import { SopFailure } from './failure.ts'
import { candidates, certificateNow, newPassword, readCertificates, readSecretKeys } from './keys.ts'
import { checkEncryptProfile } from './profiles.ts'
import { signaturesBy, verificationLines } from './signature-commands.ts'

export async function encrypt(call: Call): Promise<void> {
  const passwords = call.all('with-password').map((designator) => newPassword(call.read(designator)))
  if (passwords.length === 0 && call.positionals.length === 0) {
    throw new SopFailure('MISSING_ARG', 'encrypt needs CERTS or --with-password')
  }
  checkEncryptProfile(call.one('profile'))
  call.checkOutput('session-key-out')
  const mode = call.word('as', ['binary', 'text'])
  const purpose = PURPOSES[call.word('for', ['any', 'storage', 'communications'])]
  const keys = readCertificates(call, call.positionals).flatMap((octets) => recipientKeys(octets, purpose, call.now))
  const content = await call.stdin()
  if (mode === 'text') requireText(content)
  const signers = call.all('sign-with')
  const signatures = signers.length > 0 ? await signaturesBy(call, signers, content, mode) : Buffer.alloc(0)
  const { head, tail } = signedFrame(signatures, content.length, mode === 'text' ? 'u' : 'b')
  // passwords are for programs of any age: no version 2 beside them
  const usable = passwords.length > 0 ? keys.map((key) => ({ ...key, seipdv2: false })) : keys
  const { message, sessionKey } = sealPackets(usable, { head, content, tail })
  const skesks = await passwordPackets(passwords, sessionKey)
  call.writeTo('session-key-out', `${sessionKey.cipher}:${Buffer.from(sessionKey.key).toString('hex').toUpperCase()}\n`)
  const version2 = usable.length > 0 && usable.every((key) => key.seipdv2)
  await call.writePackets('MESSAGE', Buffer.concat([...skesks, message]), !version2)
}

/** RFC 9580 §5.2.3.29 */
const PURPOSES = { any: 0x0c, storage: 0x08, communications: 0x04 }

function recipientKeys(octets: Bytes, purpose: number, now: number): readonly EncryptionKey[] {
  const certificate = certificateNow(octets, now)
  const usable = certificate ? encryptionKeysAt(certificate, now) : []
  const keys = usable.filter(({ purposes }) => (purposes & purpose) !== 0)
  if (keys.length === 0)
    throw new SopFailure('CERT_CANNOT_ENCRYPT', 'a certificate has no key that may be encrypted to')
  return keys
}

const CIPHER_NAMES = new Map([
  [7, 'aes128'],
  [8, 'aes192'],
  [9, 'aes256'],
])

async function passwordPackets(passwords: readonly Buffer[], { cipher, key }: SessionKey): Promise<readonly Bytes[]> {
  if (passwords.length === 0) return []
  const engine = await loadEngine()
  const sessionKey = { data: new Uint8Array(key), algorithm: CIPHER_NAMES.get(cipher) as 'aes256' }
  return Promise.all(
    passwords.map((password) =>
      engine.encryptSessionKey({ ...sessionKey, passwords: password.toString('utf8'), format: 'binary' }),
    ),
  )
}

export async function decrypt(call: Call): Promise<void> {
  const verifiers = call.all('verify-with')
  checkDecryptOptions(call, verifiers)
  for (const name of ['session-key-out', 'verifications-out']) call.checkOutput(name)
  const period = {
    from: dateOf(call.one('verify-not-before'), call.now),
    to: dateOf(call.one('verify-not-after'), call.now),
  }
  const certificates = readCertificates(call, verifiers)
  const keys = await readSecretKeys(call, call.positionals)
  const octets = await call.stdin()
  const message = isArmored(octets) ? messageIn(octets) : octets
  const { inner, sessionKey } = await open(call, keys, message)
  if (verifiers.length > 0) {
    const found = verifySignatures(inner.signatures, inner.content, certificates, call.now)
    call.writeTo('verifications-out', verificationLines(found, period))
  }
  call.writeTo('session-key-out', `${sessionKey.cipher}:${Buffer.from(sessionKey.key).toString('hex').toUpperCase()}\n`)
  await call.write(inner.content)
}

function checkDecryptOptions(call: Call, verifiers: readonly string[]): void {
  const wanted = call.one('verifications-out') ?? call.one('verify-not-before') ?? call.one('verify-not-after')
  if (
    verifiers.length > 0 !== (call.one('verifications-out') !== null) ||
    (wanted !== null && verifiers.length === 0)
  ) {
    throw new SopFailure('INCOMPLETE_VERIFICATION', '--verify-with and --verifications-out go together')
  }
  const ways = [...call.positionals, ...call.all('with-password'), ...call.all('with-session-key')]
  if (ways.length === 0) throw new SopFailure('MISSING_ARG', 'decrypt needs KEYS, a password or a session key')
}

function messageIn(octets: Buffer): Buffer {
  const { label, octets: packets } = dearmor(octets)
  if (label !== 'MESSAGE') throw new MalformedOpenPgp('armor is not a message')
  return packets
}

interface Opened {
  readonly inner: InnerMessage
  readonly sessionKey: SessionKey
}

/** Tries session keys, keys and passwords in this order; a wrong one costs nothing but the next try. */
async function open(call: Call, keys: readonly SecretKeys[], message: Buffer): Promise<Opened> {
  const { pkesks, container } = splitMessage(message)
  const cipher = cipherOf(container)
  const attempts = [
    () => call.all('with-session-key').map((designator) => readSessionKey(call.read(designator))),
    () => pkesks.flatMap((pkesk) => keys.flatMap((one) => found(one, pkesk))),
    () => passwordSessionKeys(call, message),
  ]
  for (const attempt of attempts) {
    for (const sessionKey of await attempt()) {
      try {
        const inner = unsealSigned(message, sessionKey)
        return { inner, sessionKey: { cipher: sessionKey.cipher || cipher, key: sessionKey.key } }
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error
      }
    }
  }
  throw new SopFailure('CANNOT_DECRYPT', 'none of the keys, passwords and session keys opens the message')
}

/** What a version 2 container says in clear; 0 otherwise. */
function cipherOf(container: Bytes): number {
  const body = container.subarray(container[1]! < 192 ? 2 : container[1]! < 224 ? 3 : 6)
  return body[0] === 2 ? (body[1] ?? 0) : 0
}

function found(keys: SecretKeys, pkesk: Bytes): readonly SessionKey[] {
  try {
    const sessionKey = sessionKeyOf(keys, pkesk)
    return sessionKey ? [sessionKey] : []
  } catch (error) {
    if (error instanceof UndecryptableSessionKey) return []
    throw error
  }
}

function readSessionKey(octets: Buffer): SessionKey {
  const match = /^(\d{1,3}):([0-9A-Fa-f]{32,64})\s*$/.exec(octets.toString('latin1'))
  if (!match) throw new SopFailure('BAD_DATA', 'a session key is NUMBER:HEX')
  return { cipher: Number(match[1]), key: Buffer.from(match[2]!, 'hex') }
}

async function passwordSessionKeys(call: Call, message: Buffer): Promise<readonly SessionKey[]> {
  const passwords = call.all('with-password').flatMap((designator) => candidates(call.read(designator)))
  if (passwords.length === 0) return []
  const engine = await loadEngine()
  const binaryMessage = new Uint8Array(message)
  const keys: SessionKey[] = []
  for (const password of passwords) {
    const read = await engine.readMessage({ binaryMessage })
    const found = await engine.decryptSessionKeys({ message: read, passwords: password }).catch(() => [])
    keys.push(
      ...found.map(({ data, algorithm }) => ({ cipher: algorithm ? engine.enums.symmetric[algorithm] : 0, key: data })),
    )
  }
  return keys
}
