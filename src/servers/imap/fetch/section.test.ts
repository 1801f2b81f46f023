import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexMessage, type MimePart } from '#formats/message/mime-index.ts'
import { summarize } from '#formats/message/summary.ts'
import { findPart, partOf, sectionOf } from './section.ts'

type Tree =
  | { readonly kind: 'text'; readonly id: string }
  | { readonly kind: 'mixed' | 'message'; readonly parts: readonly Tree[] }

const tree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'tree' },
    fc.record({
      kind: fc.constant('text' as const),
      id: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('mixed' as const), parts: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant('message' as const), parts: fc.tuple(tie('tree')) }),
  ),
})).tree

let boundaries = 0

function compose(one: Tree): string {
  if (one.kind === 'text') return `Content-Type: text/plain\r\n\r\n${one.id}`
  if (one.kind === 'message') return `Content-Type: message/rfc822\r\n\r\n${compose(one.parts[0]!)}`
  const boundary = `b${boundaries++}`
  const parts = one.parts.map((part) => `--${boundary}\r\n${compose(part)}\r\n`).join('')
  return `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n${parts}--${boundary}--\r\n`
}

/** Every part number of a message, as RFC 3501 §6.4.5 explains them, with the octets of the body it names. */
function* numbered(message: Tree, before: readonly number[]): Generator<readonly [readonly number[], Tree]> {
  if (message.kind === 'mixed') {
    for (const [index, part] of message.parts.entries()) yield* numberedPart(part, [...before, index + 1])
  } else yield* numberedPart(message, [...before, 1])
}

function* numberedPart(part: Tree, numbers: readonly number[]): Generator<readonly [readonly number[], Tree]> {
  yield [numbers, part]
  if (part.kind === 'message') yield* numbered(part.parts[0]!, numbers)
  if (part.kind === 'mixed')
    for (const [index, child] of part.parts.entries()) yield* numberedPart(child, [...numbers, index + 1])
}

const bodyOf = (composed: string) => composed.slice(composed.indexOf('\r\n\r\n') + 4)

test('part numbers name the parts that were composed', () => {
  fc.assert(
    fc.property(tree, (message) => {
      boundaries = 0
      const octets = Buffer.from(compose(message))
      const summary = summarize(octets)
      for (const [part, expected] of numbered(message, [])) {
        const body = sectionOf({ part, text: null }, summary, octets)?.toString()
        assert.ok(body !== undefined, part.join('.'))
        if (expected.kind === 'text') assert.equal(body, expected.id)
        if (expected.kind !== 'message') continue
        const header = sectionOf({ part, text: { kind: 'header' } }, summary, octets)!.toString()
        const text = sectionOf({ part, text: { kind: 'text' } }, summary, octets)!.toString()
        assert.equal(header + text, body)
        assert.equal(bodyOf(body), text)
      }
      const known = new Set([...numbered(message, [])].map(([part]) => part.join('.')))
      for (const part of [[7], [1, 7], [1, 1, 1, 1, 1, 1, 1]])
        if (!known.has(part.join('.'))) assert.equal(findPart(summary.root, part), null, part.join('.'))
    }),
  )
})

test('HEADER and TEXT of a part that is no message are not there', () => {
  const octets = Buffer.from(compose({ kind: 'mixed', parts: [{ kind: 'text', id: 'a' }] }))
  const summary = summarize(octets)
  assert.equal(sectionOf({ part: [1], text: { kind: 'header' } }, summary, octets), null)
  assert.equal(sectionOf({ part: [1], text: { kind: 'text' } }, summary, octets), null)
  assert.equal(
    sectionOf({ part: [1], text: { kind: 'mime' } }, summary, octets)?.toString(),
    'Content-Type: text/plain\r\n\r\n',
  )
})

test('chosen fields come in the order of the message, with the empty line, folded ones whole', () => {
  const octets = Buffer.from('To: a\r\nSubject: x\r\n y\r\nto: b\r\njunk\r\n\r\n')
  const summary = summarize(octets)
  const choose = (names: string[], not: boolean) =>
    sectionOf({ part: [], text: { kind: 'fields', names, not } }, summary, null)!.toString()
  assert.equal(choose(['SUBJECT', 'TO'], false), 'To: a\r\nSubject: x\r\n y\r\nto: b\r\n\r\n')
  assert.equal(choose(['to'], true), 'Subject: x\r\n y\r\njunk\r\n\r\n')
  assert.equal(choose(['cc'], false), '\r\n')
})

test('a partial is a slice, and empty beyond the end', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.nat(30),
      fc.integer({ min: 1, max: 30 }),
      (octets, start, length) => {
        const whole = Buffer.from(octets)
        const part = partOf(whole, { start, length })
        assert.deepEqual(part, Buffer.from([...octets].slice(start, start + length)))
      },
    ),
  )
  const huge = 0xffff_ffff
  assert.equal(partOf(Buffer.from('abc'), { start: huge, length: huge }).length, 0)
})

test('a message with many parts is walked without end or depth', () => {
  const deep = `${'Content-Type: message/rfc822\r\n\r\n'.repeat(500)}x`
  const root: MimePart = indexMessage(Buffer.from(deep))
  assert.equal(findPart(root, new Array<number>(5000).fill(1)), null)
})
