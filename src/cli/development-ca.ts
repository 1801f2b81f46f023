/**
 * A certificate authority of one's own for trying Letterlock out and for tests: `init` makes it when no certificate is given.
 * It is no replacement for a real one: other servers and clients trust it only where its file is named to them.
 */
import 'reflect-metadata'
import { randomBytes, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const YEAR = 365 * 86_400_000

export interface PemPair {
  readonly certificate: string
  readonly key: string
}

const serialNumber = () => `01${randomBytes(15).toString('hex')}`

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

/** A CA for ten years and a server certificate for two, for the given host names and IP addresses. */
export async function makeDevelopmentCa(
  names: readonly string[],
  now: number,
): Promise<{ ca: PemPair; server: PemPair }> {
  const notBefore = new Date(now - 3600_000)
  const caKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Letterlock development CA ${randomBytes(4).toString('hex')}`,
    notBefore,
    notAfter: new Date(now + 10 * YEAR),
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const serverKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const server = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${names[0]}`,
    issuer: ca.subject,
    notBefore,
    notAfter: new Date(now + 2 * YEAR),
    publicKey: serverKeys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(serverKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  return {
    ca: { certificate: `${ca.toString('pem')}\n`, key: `${await pemOf(caKeys.privateKey)}\n` },
    server: {
      certificate: `${server.toString('pem')}\n${ca.toString('pem')}\n`,
      key: `${await pemOf(serverKeys.privateKey)}\n`,
    },
  }
}
