/** sign, verify, inline-sign, inline-verify, inline-detach. */
import { dearmor, isArmored } from '#formats/openpgp/armor.ts'
import {
  isCleartext,
  readCleartext,
  signableText,
  signatureBodies,
  writeCleartext,
} from '#formats/openpgp/cleartext.ts'
import { type InnerMessage, readInnerMessage } from '#formats/openpgp/inner-message.ts'
import { signedFrame } from '#formats/openpgp/one-pass.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { packet } from '#formats/openpgp/packets.ts'
import { type SignatureMode, signDetached } from '#formats/openpgp/sign.ts'
import { parseSignature } from '#formats/openpgp/signature.ts'
import { type Verification, verifySignatures } from '#formats/openpgp/verify.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type Call, dateOf, requireText } from './call.ts'
import { SopFailure } from './failure.ts'
import { readCertificates, readSecretKeys, signersOf } from './keys.ts'

/** Signature packets over the content by each of the keys. */
export async function signaturesBy(
  call: Call,
  designators: readonly string[],
  content: Buffer,
  mode: SignatureMode,
): Promise<Buffer> {
  const keys = signersOf(await readSecretKeys(call, designators), call.now)
  return Buffer.concat(keys.map((one) => signDetached(one, content, call.now, { mode })))
}

/** RFC 9580 §6.1 */
function isVersion4(signatures: Bytes): boolean {
  return signatureBodies(signatures).every((body) => body[0] === 4)
}

export async function sign(call: Call): Promise<void> {
  if (call.positionals.length === 0) throw new SopFailure('MISSING_ARG', 'sign needs KEYS')
  call.checkOutput('micalg-out')
  const mode = call.word('as', ['binary', 'text'])
  const content = await call.stdin()
  if (mode === 'text') requireText(content)
  const signatures = await signaturesBy(call, call.positionals, content, mode)
  call.writeTo('micalg-out', micalgOf(signatures))
  await call.writePackets('SIGNATURE', signatures, isVersion4(signatures))
}

/** RFC 3156 §5; empty when the signatures differ. */
function micalgOf(signatures: Bytes): string {
  const names = new Map([
    [8, 'pgp-sha256'],
    [10, 'pgp-sha512'],
  ])
  const hashes = new Set(signatureBodies(signatures).map((body) => parseSignature(body)?.hash))
  const [hash] = hashes
  return hashes.size === 1 ? (names.get(hash ?? 0) ?? '') : ''
}

export interface Period {
  readonly from: number | null
  readonly to: number | null
}

/** The verifications that count, as lines (draft § VERIFICATIONS). */
export function verificationLines(found: readonly Verification[], { from, to }: Period): string {
  return found
    .filter(({ created }) => (from === null || created >= from) && (to === null || created <= to))
    .map(({ created, signingKey, certificate, mode }) => {
      const when = `${new Date(created).toISOString().slice(0, 19)}Z`
      return `${when} ${signingKey} ${certificate} mode:${mode}\n`
    })
    .join('')
}

function periodOf(call: Call): Period {
  return { from: dateOf(call.one('not-before'), call.now), to: dateOf(call.one('not-after'), call.now) }
}

export async function verify(call: Call): Promise<void> {
  const [signatures, ...certs] = call.positionals
  if (!signatures || certs.length === 0) throw new SopFailure('MISSING_ARG', 'verify needs SIGNATURES and CERTS')
  const period = periodOf(call)
  const octets = call.read(signatures)
  const bodies = signatureBodies(isArmored(octets) ? armored(octets, 'SIGNATURE') : octets)
  const certificates = readCertificates(call, certs)
  const lines = verificationLines(verifySignatures(bodies, await call.stdin(), certificates, call.now), period)
  if (lines === '') throw new SopFailure('NO_SIGNATURE', 'no valid signature')
  await call.write(lines)
}

function armored(octets: Buffer, label: string): Buffer {
  const found = dearmor(octets)
  if (found.label !== label) throw new MalformedOpenPgp(`armor is not ${label}`)
  return found.octets
}

export async function inlineSign(call: Call): Promise<void> {
  if (call.positionals.length === 0) throw new SopFailure('MISSING_ARG', 'inline-sign needs KEYS')
  const form = call.word('as', ['binary', 'text', 'clearsigned'])
  if (form === 'clearsigned' && call.has('no-armor')) {
    throw new SopFailure('INCOMPATIBLE_OPTIONS', 'clear text has no binary form')
  }
  const content = await call.stdin()
  if (form !== 'binary') requireText(content)
  if (form === 'clearsigned') {
    const signable = signableText(content)
    const signatures = await signaturesBy(call, call.positionals, signable, 'text')
    return call.write(writeCleartext(signable, signatures))
  }
  const signatures = await signaturesBy(call, call.positionals, content, form)
  const { head, tail } = signedFrame(signatures, content.length, form === 'text' ? 'u' : 'b')
  await call.writePackets('MESSAGE', Buffer.concat([head, content, tail]), isVersion4(signatures))
}

/** A message signed in one of the three ways. */
function readSigned(octets: Buffer): InnerMessage {
  if (isCleartext(octets)) {
    const { text, signatures } = readCleartext(octets)
    return { content: text, signatures }
  }
  return readInnerMessage(isArmored(octets) ? armored(octets, 'MESSAGE') : octets)
}

export async function inlineVerify(call: Call): Promise<void> {
  if (call.positionals.length === 0) throw new SopFailure('MISSING_ARG', 'inline-verify needs CERTS')
  call.checkOutput('verifications-out')
  const period = periodOf(call)
  const certificates = readCertificates(call, call.positionals)
  const { content, signatures } = readSigned(await call.stdin())
  const lines = verificationLines(verifySignatures(signatures, content, certificates, call.now), period)
  if (lines === '') throw new SopFailure('NO_SIGNATURE', 'no valid signature')
  call.writeTo('verifications-out', lines)
  await call.write(content)
}

export async function inlineDetach(call: Call): Promise<void> {
  if (call.one('signatures-out') === null) throw new SopFailure('MISSING_ARG', 'inline-detach needs --signatures-out')
  call.checkOutput('signatures-out')
  const { content, signatures } = readSigned(await call.stdin())
  const packets = Buffer.concat(signatures.map((body) => packet(PacketType.signature, body)))
  if (packets.length === 0) throw new SopFailure('BAD_DATA', 'a message without signatures')
  call.writePacketsTo('signatures-out', 'SIGNATURE', packets, isVersion4(packets))
  await call.write(content)
}
