import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { ContentDamaged, sealContent, unsealContent } from './content-seal.ts'

const key = randomBytes(32)

const octets = fc.uint8Array({ minLength: 0, maxLength: 3000 })

const sealedMail = (queueId: string, content: string, waiting: string) =>
  sealContent(key, { queueId, content: Buffer.from(content), waiting: Buffer.from(waiting) })

test('what was sealed opens again, and shows nothing of itself', () => {
  fc.assert(
    fc.property(octets, fc.option(octets, { nil: undefined }), fc.string(), (content, waiting, queueId) => {
      const sealed = sealContent(key, waiting ? { queueId, content, waiting } : { queueId, content })
      const opened = unsealContent(key, queueId, sealed)
      assert.deepEqual(new Uint8Array(opened.content), content)
      assert.deepEqual(opened.waiting && new Uint8Array(opened.waiting), waiting)
      if (content.length > 8) assert.equal(Buffer.from(sealed.content).includes(Buffer.from(content)), false)
      if (waiting && waiting.length > 8)
        assert.equal(Buffer.from(sealed.waiting!).includes(Buffer.from(waiting)), false)
    }),
  )
})

test('another key, another message, or a changed octet do not open', () => {
  const sealed = sealedMail('q1', 'content', 'waiting')
  const other = sealedMail('q2', 'other', 'waiting')
  const refused = (what: typeof sealed, queueId = 'q1', with_ = key) =>
    assert.throws(() => unsealContent(with_, queueId, what), ContentDamaged)
  refused(sealed, 'q2')
  refused(sealed, 'q1', randomBytes(32))
  refused({ ...sealed, content: other.content })
  refused({ ...sealed, key: other.key })
  refused({ ...sealed, waiting: other.waiting })
  refused({ ...sealed, waiting: sealed.content })
  refused({ ...sealed, content: Buffer.alloc(5) })
  for (const part of ['key', 'content', 'waiting'] as const) {
    for (let at = 0; at < sealed[part]!.length; at++) {
      const changed = Buffer.from(sealed[part]!)
      changed[at] = changed[at]! ^ 1
      refused({ ...sealed, [part]: changed })
    }
  }
})
