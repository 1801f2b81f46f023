/** A certificate authority and a server certificate, made by OpenSSL for peers that want files. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

export interface PeerCertificate {
  /** PEM files. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** `names` are DNS names or IPv4 addresses; the first is the common name. */
export async function makeCertificate(directory: string, names: readonly string[]): Promise<PeerCertificate> {
  const path = (name: string) => join(directory, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const alternatives = names.map((name) => `${/^[0-9.]+$/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',')
  await writeFile(path('leaf.ext'), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\n`)
  await run('openssl', [
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
    '-days',
    '30',
    '-subj',
    '/CN=Peer CA',
  ])
  await run('openssl', [
    'req',
    ...newKey,
    '-keyout',
    path('leaf.key'),
    '-out',
    path('leaf.csr'),
    '-subj',
    `/CN=${names[0]}`,
  ])
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    path('leaf.csr'),
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca.key'),
    '-CAcreateserial',
    '-days',
    '30',
    '-extfile',
    path('leaf.ext'),
    '-out',
    path('leaf.pem'),
  ])
  return { ca: path('ca.pem'), certificate: path('leaf.pem'), key: path('leaf.key') }
}
