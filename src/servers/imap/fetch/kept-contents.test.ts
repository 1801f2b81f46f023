import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptContents } from './kept-contents.ts'

const content = (length: number) => Buffer.alloc(length)

test('keeps one content for each reader, and no more than fits', () => {
  const kept = new KeptContents(300_000)
  const [first, second, third] = [{}, {}, {}]
  const large = content(100_000)
  kept.keep(first, 1, large)
  assert.equal(kept.find(first, 1), large)
  assert.equal(kept.find(first, 2), null)
  assert.equal(kept.find(second, 1), null)
  kept.keep(first, 2, content(100_000))
  assert.equal(kept.find(first, 1), null)
  kept.keep(second, 1, content(150_000))
  kept.keep(third, 1, content(150_000))
  assert.equal(kept.find(first, 2), null, 'the one kept longest makes room')
  assert.ok(kept.find(second, 1))
  kept.drop(second)
  kept.keep(first, 3, content(150_000))
  assert.ok(kept.find(third, 1) && kept.find(first, 3))
})

test('small contents and those that never fit are not kept', () => {
  const kept = new KeptContents(300_000)
  const reader = {}
  kept.keep(reader, 1, content(100))
  kept.keep(reader, 2, content(300_001))
  assert.equal(kept.find(reader, 1) ?? kept.find(reader, 2), null)
})
