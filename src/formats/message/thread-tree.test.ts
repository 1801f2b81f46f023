import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { baseSubject } from './base-subject.ts'
import { collated } from './collation.ts'
import { type Steps, type ThreadMessage, type ThreadNode, threadByReferences, threadBySubject } from './thread-tree.ts'

const message = (number: number, id: string | null, references: string[] = [], subject = '', sent = number) => {
  const { text, isReply } = baseSubject(subject)
  return { number, sent, id, references, subject: collated(text), isReply }
}

function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** Numbers in nested lists; null for what is not there. */
type Shape = readonly [number | null, ...Shape[]]
const shape = ({ message, children }: ThreadNode): Shape => [message?.number ?? null, ...children.map(shape)]
const threads = (...messages: ThreadMessage[]) => finished(threadByReferences(messages)).map(shape)

test('what answers another stands below it', () => {
  assert.deepEqual(
    threads(message(1, 'a'), message(2, 'b', ['a']), message(3, 'c', ['a', 'b']), message(4, 'd', ['a'])),
    [[1, [2, [3]], [4]]],
  )
  assert.deepEqual(threads(message(1, 'c', ['a', 'b']), message(2, 'a'), message(3, 'b', ['a'])), [[2, [3, [1]]]])
})

test('messages that are not there hold threads together only at the top', () => {
  assert.deepEqual(threads(message(1, 'a', ['x']), message(2, 'b', ['x'])), [[null, [1], [2]]])
  assert.deepEqual(threads(message(1, 'a', ['x'])), [[1]])
  assert.deepEqual(threads(message(1, 'a'), message(2, 'b', ['a', 'x']), message(3, 'c', ['a', 'x', 'y'])), [
    [1, [2], [3]],
  ])
})

test('loops, and two messages of one id', () => {
  assert.deepEqual(threads(message(1, 'a', ['b']), message(2, 'b', ['a'])), [[2, [1]]])
  assert.deepEqual(threads(message(1, 'a', ['a'])), [[1]])
  assert.deepEqual(threads(message(1, 'a'), message(2, 'a', ['x']), message(3, 'b', ['a'])), [[1, [3]], [2]])
  assert.deepEqual(threads(message(1, null), message(2, null)), [[1], [2]])
})

test('the own word of a message about its parent counts most', () => {
  assert.deepEqual(threads(message(1, 'c', ['a', 'b']), message(2, 'a'), message(3, 'b')), [[2], [3, [1]]])
})

test('threads of one subject become one', () => {
  const twice = [message(1, 'a', [], 'Lunch'), message(2, 'b', [], 'Re: lunch')]
  assert.deepEqual(threads(...twice), [[1, [2]]])
  assert.deepEqual(threads(message(1, 'a', [], 'Re: lunch'), message(2, 'b', [], 'Lunch')), [[2, [1]]])
  assert.deepEqual(threads(message(1, 'a', [], 'Lunch'), message(2, 'b', [], 'LUNCH')), [[null, [1], [2]]])
  assert.deepEqual(
    threads(...twice, message(3, 'c', ['x'], 'Re: lunch'), message(4, 'd', ['x'], 'Re: lunch')),
    [[null, [1], [2], [3], [4]]],
    'an empty root is preferred',
  )
  assert.deepEqual(
    threads(
      message(1, 'a', ['x'], 's'),
      message(2, 'b', ['x'], 's'),
      message(3, 'c', ['y'], 's'),
      message(4, 'd', ['y'], 's'),
    ),
    [[null, [1], [2], [3], [4]]],
  )
  assert.deepEqual(threads(message(1, 'a', [], ''), message(2, 'b', [], 'Re: ')), [[1], [2]], 'no subject is none')
})

test('siblings go by date, then by number', () => {
  assert.deepEqual(
    threads(
      message(1, 'a', [], 'x', 9),
      message(2, 'b', ['a'], 'x', 8),
      message(3, 'c', ['a'], 'x', 7),
      message(4, 'd', [], 'y', 3),
    ),
    [[4], [1, [3], [2]]],
  )
  assert.deepEqual(threads(message(1, 'a', [], 'x', 5), message(2, 'b', [], 'y', 5)), [[1], [2]])
})

test('ORDEREDSUBJECT: one thread for each subject, flat', () => {
  const found = finished(
    threadBySubject([
      message(1, null, [], 'Re: b', 5),
      message(2, null, [], 'a', 4),
      message(3, null, [], 'B', 3),
      message(4, null, [], 'Fwd: b', 9),
    ]),
  )
  assert.deepEqual(found.map(shape), [[3, [1], [4]], [2]])
})

const some = fc.array(
  fc.record({
    id: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')),
    references: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'x', 'y'), { maxLength: 4 }),
    subject: fc.constantFrom('', 'S', 'T', 'U'),
    isReply: fc.boolean(),
    sent: fc.nat(5),
  }),
  { maxLength: 12 },
)

test('every message stands in one place, below what is there, and siblings are in order', () => {
  fc.assert(
    fc.property(some, fc.constantFrom(threadByReferences, threadBySubject), (drafts, thread) => {
      const messages = drafts.map((draft, index) => ({ ...draft, number: index + 1 }))
      const seen: number[] = []
      const open: { node: ThreadNode; top: boolean }[] = finished(thread(messages)).map((node) => ({ node, top: true }))
      for (let next = open.pop(); next; next = open.pop()) {
        const { message, children } = next.node
        if (message) seen.push(message.number)
        else assert.ok(next.top && children.length > 1, 'what is not there is at the top, and holds something together')
        for (const [index, node] of children.entries()) {
          const before = children[index - 1]?.message
          if (before)
            assert.ok(
              before.sent < node.message!.sent ||
                (before.sent === node.message!.sent && before.number < node.message!.number),
            )
          open.push({ node, top: false })
        }
      }
      assert.deepEqual(
        seen.sort((a, b) => a - b),
        messages.map(({ number }) => number),
      )
    }),
    { numRuns: 500 },
  )
})

test('a chain of a hundred thousand in any order is one thread', () => {
  const chain = Array.from({ length: 100_000 }, (_, index) =>
    message(index + 1, `m${index}`, index > 0 ? [`m${index - 1}`] : []),
  )
  assert.equal(finished(threadByReferences(chain)).length, 1)
  assert.equal(finished(threadByReferences([...chain].reverse())).length, 1)
})

test('however much messages refer to, others have their turns meanwhile', () => {
  const referring = Array.from({ length: 1000 }, (_, index) =>
    message(
      index + 1,
      `m${index}`,
      Array.from({ length: 20 }, (_, at) => `r${index}.${at}`),
    ),
  )
  const steps = threadByReferences(referring)
  let count = 0
  while (!steps.next().done) count++
  assert.ok(count > 100, `${count} steps`)
})
