/** Messages that others made, from opening to what is shown: see test/vectors/openpgp/protected-headers/README.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fieldValue, scanHeader } from '#formats/message/header.ts'
import { indexMessage } from '#formats/message/mime-index.ts'
import { sealedKind } from '#formats/message/sealed-kind.ts'
import { canonicalText } from '#formats/openpgp/canonical-text.ts'
import { certificateOf, openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import type { Bytes } from '#lib/bytes.ts'
import { judgeSignatures, resultsField } from './judge.ts'
import { authorsOf, openEncrypted, openedView, signedIn, trustsInnerFrom } from './opened.ts'
import { unwrapEncrypted } from './pgp-mime.ts'

const vector = (name: string) =>
  readFileSync(new URL(`../../../test/vectors/openpgp/protected-headers/${name}`, import.meta.url))
const mail = (name: string) => canonicalText(vector(name))

const tsk = vector('alice.tsk')
const keys = openSecretKeys(tsk)
const { fingerprint } = keys.certificate
const NOW = Date.UTC(2019, 10, 1)

function shown(received: Buffer, payload: Bytes | null, layer: { signed: Bytes; signatures: readonly Bytes[] }) {
  const authors = authorsOf(received, payload)
  const signers = {
    certificates: [{ certificate: certificateOf(tsk), evidence: 'wkd', isCurrent: true } as const],
    trouble: null,
  }
  const encrypted = payload !== null
  const signature = judgeSignatures(layer, { author: authors.author, signers, own: [fingerprint], encrypted, now: NOW })
  const encryption = encrypted ? 'opened' : 'none'
  const results = resultsField('mx.test', { encryption, signature, author: authors.author, at: NOW })
  const trusts = trustsInnerFrom(authors, signature)
  return { signature, view: openedView({ received, payload, results, authservId: 'mx.test', trustsInnerFrom: trusts }) }
}

const subjects = (octets: Buffer) =>
  scanHeader(octets)
    .fields.filter(({ name }) => name === 'subject')
    .map((field) => fieldValue(octets, field))

test('signed in one pass and encrypted, and multipart/signed in multipart/encrypted', () => {
  for (const name of ['sign-enc', 'layered']) {
    const received = mail(`${name}.eml`)
    assert.equal(sealedKind(indexMessage(received)), 'encrypted')
    const { pkesks } = splitMessage(unwrapEncrypted(received)!)
    const sessionKey = pkesks.map((pkesk) => sessionKeyOf(keys, pkesk)).find((one) => one !== null)!
    const opened = openEncrypted(received, sessionKey)
    const { signature, view } = shown(received, opened.payload, opened)
    assert.deepEqual([signature.kind, 'fingerprint' in signature && signature.fingerprint], ['good', fingerprint])
    assert.deepEqual(subjects(view), ["BarCorp contract signed, let's go!"])
    const root = indexMessage(view)
    assert.deepEqual([root.type, root.subtype], ['text', 'plain'])
    assert.match(
      view.toString(),
      /^Received: [\s\S]*openpgp=pass \(signed and encrypted\) header\.from=alice@openpgp\.example/,
    )
    assert.match(view.toString('utf8', root.body.start), /^Hi Bob!\r\n[\s\S]*Example Corp\r\n$/)
  }
})

test('multipart/signed', () => {
  const received = mail('signed.eml')
  assert.equal(sealedKind(indexMessage(received)), 'signed')
  const { signature, view } = shown(received, null, signedIn(received)!)
  assert.equal(signature.kind, 'good')
  assert.equal(sealedKind(indexMessage(view)), 'signed')
  assert.match(view.toString(), /openpgp=pass \(signed\) header\.from=alice@openpgp\.example/)
  const changed = Buffer.from(received.toString().replace('cancel', 'keep'))
  assert.equal(shown(changed, null, signedIn(changed)!).signature.kind, 'bad')
})

test('a subject that was changed on the way is shown as it was signed', () => {
  const received = Buffer.from(mail('signed.eml').toString().replace('FooCorp', 'BarCorp'))
  assert.deepEqual(subjects(received), ['The BarCorp contract'])
  assert.deepEqual(subjects(shown(received, null, signedIn(received)!).view), ['The FooCorp contract'])
})
