import assert from 'node:assert/strict'
import { test } from 'node:test'
import { summariesText, textsText } from './coverage-text.ts'

test('says how far both indexes are', () => {
  const indexing = { messages: 10_000, waiting: 9188, indexed: 0 }
  assert.equal(summariesText(indexing), '812 of 10,000 messages, 9,188 to do while the owner is logged in')
  assert.equal(textsText(indexing), '0 of 10,000 messages, 10,000 to do while the owner is logged in')
  assert.equal(summariesText({ messages: 30, waiting: 0, indexed: 30 }), '30 of 30 messages')
  assert.equal(textsText({ messages: 0, waiting: 0, indexed: 0 }), '0 of 0 messages')
})
