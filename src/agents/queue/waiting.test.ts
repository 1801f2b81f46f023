import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WITHOUT_KEY } from '#privacy/e2e/e2e.ts'
import { decodeWaiting, encodeWaiting, MalformedWaiting } from './waiting.ts'

test('what a message waits with comes back as it was', () => {
  const seal = fc.record(
    {
      sessionKey: fc.uint8Array({ minLength: 1, maxLength: 64 }).map((octets) => Buffer.from(octets)),
      withoutKey: fc.constantFrom(...WITHOUT_KEY),
      isDemanded: fc.boolean(),
      account: fc.string(),
    },
    { noNullPrototype: true },
  )
  fc.assert(fc.property(seal, (one) => assert.deepEqual(decodeWaiting(encodeWaiting(one)), one)))
})

const written = () =>
  JSON.parse(
    encodeWaiting({
      sessionKey: Buffer.from('canary-key'),
      withoutKey: 'warn',
      isDemanded: false,
      account: 'a1',
    }).toString(),
  ) as Record<string, unknown>

function refused(octets: Buffer): void {
  assert.throws(
    () => decodeWaiting(octets),
    (error) => error instanceof MalformedWaiting && !error.message.includes('canary'),
  )
}

test('anything else is refused in words that tell no secret', () => {
  for (const change of [
    { version: 2 },
    { withoutKey: 'never' },
    { isDemanded: 'yes' },
    { account: 7 },
    { account: undefined },
    { sessionKey: '' },
    { sessionKey: 'canary!' },
    { sessionKey: 'YQ' },
    { sessionKey: Buffer.alloc(65).toString('base64') },
    { sessionKey: null },
    { more: 1 },
  ])
    refused(Buffer.from(JSON.stringify({ ...written(), ...change })))
  for (const text of ['', 'null', '[]', '7', '{', 'canary']) refused(Buffer.from(text))
  fc.assert(fc.property(fc.uint8Array(), (octets) => refused(Buffer.from(octets))))
})
