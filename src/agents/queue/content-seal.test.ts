import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { ContentDamaged, sealContent, unsealContent } from './content-seal.ts'

const key = randomBytes(32)

test('what was sealed opens again, and shows nothing of itself', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 3000 }), fc.string(), (content, queueId) => {
      const sealed = sealContent(key, queueId, content)
      assert.deepEqual(new Uint8Array(unsealContent(key, queueId, sealed)), content)
      if (content.length > 8) assert.equal(Buffer.from(sealed.content).includes(Buffer.from(content)), false)
    }),
  )
})

test('another key, another message, or a changed octet do not open', () => {
  const sealed = sealContent(key, 'q1', Buffer.from('content'))
  const other = sealContent(key, 'q2', Buffer.from('other'))
  const refused = (what: typeof sealed, queueId = 'q1', with_ = key) =>
    assert.throws(() => unsealContent(with_, queueId, what), ContentDamaged)
  refused(sealed, 'q2')
  refused(sealed, 'q1', randomBytes(32))
  refused({ key: sealed.key, content: other.content })
  refused({ key: other.key, content: sealed.content })
  refused({ key: sealed.key, content: Buffer.alloc(5) })
  for (const part of ['key', 'content'] as const) {
    for (let at = 0; at < sealed[part].length; at++) {
      const changed = Buffer.from(sealed[part])
      changed[at] = changed[at]! ^ 1
      refused({ ...sealed, [part]: changed })
    }
  }
})
