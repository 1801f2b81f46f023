import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isCleartext, readCleartext, signableText, writeCleartext } from './cleartext.ts'
import { generateKeys } from './generate.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { openSecretKeys } from './secret-key.ts'
import { signDetached } from './sign.ts'
import { verifySignatures } from './verify.ts'

const CREATED = 1_700_000_000_000
const made = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created: new Date(CREATED) })
const keys = openSecretKeys(made.secret)

function signed(text: string): Buffer {
  const signable = signableText(Buffer.from(text))
  return writeCleartext(signable, signDetached(keys, signable, CREATED + 1000, { mode: 'text' }))
}

const lines = fc.array(
  fc.constantFrom('Dear Ada', '- yes', '-----BEGIN PGP SIGNATURE-----', 'From me', '', ' x \t', 'é', '\r'),
  {
    maxLength: 8,
  },
)

test('what is signed is read again, without blanks at line ends, and the signature holds', () => {
  fc.assert(
    fc.property(lines, (wanted) => {
      const message = signed(wanted.join('\n'))
      assert.ok(isCleartext(message))
      const { text, signatures } = readCleartext(message)
      assert.equal(text.toString(), wanted.map((line) => line.trimEnd()).join('\n'))
      assert.equal(verifySignatures(signatures, text, [made.certificate], CREATED + 2000).length, 1)
    }),
    { numRuns: 50 },
  )
})

test('what stands above or beside the text is not taken for it', () => {
  const message = signed('Dear Ada').toString()
  const refused = [
    message.replace('Hash: SHA256\n', 'Hash: SHA256\nComment: Dear Bob\n'),
    message.replace('Hash: SHA256\n', 'Dear Bob\n'),
    message.replace('Dear Ada', '-Dear Ada'),
    message.replace('-----BEGIN PGP SIGNATURE-----', ''),
    message.replace('-----BEGIN PGP SIGNED MESSAGE-----', '-----BEGIN PGP SIGNED MESSAGE----- '.repeat(2)),
  ]
  for (const one of refused) assert.throws(() => readCleartext(Buffer.from(one)), MalformedOpenPgp)
})

test('any text is a message or MalformedOpenPgp', () => {
  const pieces = fc.constantFrom(
    '-----BEGIN PGP SIGNED MESSAGE-----\n',
    'Hash: SHA256\n',
    '\n',
    '-----BEGIN PGP SIGNATURE-----\n',
    'AAAA\n',
    '-----END PGP SIGNATURE-----\n',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 10 })), { maxLength: 12 }), (parts) => {
      try {
        readCleartext(Buffer.from(parts.join('')))
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
