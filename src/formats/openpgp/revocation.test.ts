import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor, dearmor } from './armor.ts'
import { verifyCertificate } from './certificate.ts'
import { generateKeys } from './generate.ts'
import { packet, readPackets } from './packets.ts'
import { makeRevocation, readRevocation, withRevocation } from './revocation.ts'
import { openSecretKeys } from './secret-key.ts'

const CREATED = 1_700_000_000_000
const NOW = CREATED + 86_400_000
const created = new Date(CREATED)
const ada = await generateKeys({ userId: 'Ada <ada@alpha.test>', algorithm: 'curve25519', created })
const eve = await generateKeys({ userId: 'Eve <eve@alpha.test>', algorithm: 'curve25519', created })
const keys = openSecretKeys(ada.secret)
const generic = Buffer.from(ada.revocation)

test('what we make is read, and revokes the certificate it is put into', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('é'.repeat(2000)))
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 2, 3), text, (reason, why) => {
      const made = Buffer.from(makeRevocation(keys, { created: NOW - 1000, reason: reason as 0, text: why }))
      const read = readRevocation(made, ada.certificate)!
      assert.ok(read.equals(made))
      const revoked = withRevocation(ada.certificate, read)
      assert.equal(verifyCertificate(revoked, NOW).revoked, true)
      assert.ok(withRevocation(revoked, read).equals(revoked))
    }),
    { numRuns: 12 },
  )
})

test("GnuPG's file with its colon, a bare signature, a revoked certificate: all are read", () => {
  const revocs = `This is a revocation certificate for ada\n\nTo use it, remove the colon.\n\n:${ada.revocation}`
  const { octets } = dearmor(generic)
  const forms = [
    revocs,
    revocs.replaceAll('\n', '\r\n'),
    octets,
    armor('SIGNATURE', octets),
    withRevocation(ada.certificate, generic),
    armor('PUBLIC KEY BLOCK', withRevocation(ada.certificate, generic)),
    `${armor('PUBLIC KEY BLOCK', eve.certificate)}${ada.revocation}`,
  ]
  for (const form of forms) assert.ok(readRevocation(Buffer.from(form as string), ada.certificate)?.equals(generic))
})

test('a hard revocation is preferred to a soft one beside it', () => {
  const soft = makeRevocation(keys, { created: NOW, reason: 1, text: '' })
  assert.ok(readRevocation(Buffer.from(soft + ada.revocation), ada.certificate)?.equals(generic))
})

test("somebody else's revocation, a damaged one and any other octets are none", () => {
  assert.equal(readRevocation(Buffer.from(eve.revocation), ada.certificate), null)
  assert.throws(() => withRevocation(ada.certificate, Buffer.from(eve.revocation)), /not a revocation/)
  assert.equal(readRevocation(ada.certificate, ada.certificate), null)
  const { octets } = dearmor(generic)
  for (let at = 2; at < octets.length; at++) {
    const changed = Buffer.from(octets)
    changed[at] = changed[at]! ^ 1
    const found = readRevocation(changed, ada.certificate)
    // only what is not signed may change, and does not come through
    if (found) assert.ok(found.toString().length <= generic.toString().length)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (any) => readRevocation(any, ada.certificate) === null))
})

test('a revocation is never older than its key', () => {
  const made = Buffer.from(makeRevocation(keys, { created: CREATED - 60_000, reason: 3, text: '' }))
  assert.equal(verifyCertificate(withRevocation(ada.certificate, made), CREATED).revoked, true)
})

test('a revocation needs the primary secret', () => {
  const [primary, ...others] = [...readPackets(ada.secret)]
  const publicPrimary = [...readPackets(ada.certificate)][0]!.octets
  const subkeysOnly = openSecretKeys(Buffer.concat([publicPrimary, ...others.map((one) => one.octets)]))
  assert.throws(() => makeRevocation(subkeysOnly, { created: NOW, reason: 0, text: '' }), { name: 'CannotSign' })
  assert.equal(primary!.type, 5)
})

test('a thousand forged revocations are none, and cost few public-key operations', () => {
  const { body } = [...readPackets(dearmor(generic).octets)][0]!
  const forged = Array.from({ length: 1000 }, (_, i) => {
    const copy = Buffer.from(body)
    copy.writeUInt16BE(i, copy.length - 2)
    return packet(2, copy)
  })
  assert.equal(readRevocation(Buffer.concat(forged), ada.certificate), null)
})
