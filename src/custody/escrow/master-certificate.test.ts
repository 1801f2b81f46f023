import assert from 'node:assert/strict'
import { test } from 'node:test'
import { armor, dearmor } from '#formats/openpgp/armor.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { plainFingerprint, readMasterCertificate, WrongMaster } from './master-certificate.ts'

const NOW = Date.UTC(2026, 0, 15)
const make = () => generateKeys({ userId: 'Escrow of alpha.test', algorithm: 'curve25519', created: new Date(NOW) })
const { certificate, revocation } = await make()
const { fingerprint } = await import('#formats/openpgp/certificate.ts').then((room) =>
  room.parseCertificate(certificate),
)

test('reads the certificate that the configuration names, however it is written', () => {
  const spaced = fingerprint.toLowerCase().replace(/.{4}/g, '$& ')
  const armored = Buffer.from(armor('PUBLIC KEY BLOCK', certificate))
  for (const octets of [certificate, armored]) {
    const master = readMasterCertificate(octets, spaced, NOW)
    assert.equal(master.fingerprint, fingerprint)
    assert.equal(master.name, 'Escrow of alpha.test')
    assert.deepEqual(Buffer.from(master.certificate), certificate)
  }
  assert.equal(plainFingerprint('ab cd:ef'), 'ABCDEF')
})

test('refuses every other one', async () => {
  const other = await make()
  const refused = (octets: Uint8Array, pin = fingerprint) =>
    assert.throws(() => readMasterCertificate(octets, pin, NOW), WrongMaster)
  refused(certificate, '')
  refused(other.certificate)
  refused(Buffer.from('no certificate'))
  refused(withRevocation(certificate, dearmor(Buffer.from(revocation)).octets))
  // An encryption subkey of somebody else below the pinned primary key.
  const [own, foreign] = [certificate, other.certificate].map((octets) =>
    [...readPackets(octets)].map((one) => one.octets),
  )
  refused(Buffer.concat([...own!.slice(0, -2), ...foreign!.slice(-2)]))
})
