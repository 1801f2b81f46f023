import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { command } from '../../../test/support/arbitrary-command.ts'
import type { ReaderEvent } from './command.ts'
import { writeCommand } from './command-writer.ts'
import { CommandReader } from './parser.ts'

const LIMITS = { authenticated: true, appendOctets: 1_000_000 }

function readAll(octets: Buffer, cuts: readonly number[] = []): ReaderEvent[] {
  const reader = new CommandReader(LIMITS)
  const events: ReaderEvent[] = []
  const places = [...cuts.map((cut) => cut % (octets.length + 1)), octets.length].sort((a, b) => a - b)
  let start = 0
  for (const place of places) {
    reader.push(Buffer.from(octets.subarray(start, place)))
    start = place
    for (let event = reader.next(); event; event = reader.next()) {
      events.push(event)
      if (event.kind === 'fatal') return events
    }
  }
  return events
}

test('every command is read as it was written, wherever the stream is cut', () => {
  fc.assert(
    fc.property(command, fc.boolean(), fc.array(fc.nat(), { maxLength: 4 }), (written, nonSynchronising, cuts) => {
      const { chunks } = writeCommand('a1', written, nonSynchronising)
      const events = readAll(Buffer.concat([...chunks, Buffer.from('b NOOP\r\n')]), cuts)
      const continues = nonSynchronising ? [] : chunks.slice(1).map(() => ({ kind: 'continue' }))
      assert.deepEqual(events, [
        ...continues,
        { kind: 'command', tag: 'a1', command: written },
        { kind: 'command', tag: 'b', command: { kind: 'noop' } },
      ])
    }),
    { numRuns: 1000 },
  )
})

const noise = fc.array(
  fc.oneof(
    fc
      .constantFrom(
        ...[
          'a ',
          'UID ',
          'FETCH ',
          'SEARCH ',
          'APPEND ',
          'LOGIN ',
          'LIST ',
          'STORE ',
          '1:*',
          ' ',
          '(',
          ')',
          '"',
          '\\',
          '[',
          ']',
        ],
        ...[
          'BODY',
          'NOT ',
          'OR ',
          '{1}\r\n',
          '{3+}\r\n',
          '~{2}\r\n',
          '{99999}\r\n',
          '\r\n',
          '\n',
          '\0',
          '<0.1>',
          'RETURN ',
        ],
      )
      .map((piece) => Buffer.from(piece)),
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  ),
  { maxLength: 25 },
)

test('any octets give the same events wherever they are cut, and never an error', () => {
  fc.assert(
    fc.property(noise, fc.array(fc.nat(), { maxLength: 6 }), (pieces, cuts) => {
      const stream = Buffer.concat(pieces)
      assert.deepEqual(readAll(stream, cuts), readAll(stream))
    }),
    { numRuns: 1000 },
  )
})

/** A valid command with some octets lost, doubled or put in another's place. */
const damaged = fc
  .tuple(
    command,
    fc.boolean(),
    fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...'() "\\{}~*,:[]<>$\0\r\n9aé%')), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([written, nonSynchronising, damages]) => {
    const octets = [...Buffer.concat([...writeCommand('a', written, nonSynchronising).chunks])]
    for (const [at, lost, put] of damages) octets.splice(at % octets.length, lost, ...Buffer.from(put))
    return Buffer.from(octets)
  })

test('a damaged command is another one or refused, and nothing else happens', () => {
  fc.assert(
    fc.property(damaged, fc.array(fc.nat(), { maxLength: 3 }), (octets, cuts) => {
      const stream = Buffer.concat([octets, Buffer.from('\r\nb NOOP\r\n')])
      assert.deepEqual(readAll(stream, cuts), readAll(stream))
    }),
    { numRuns: 1000 },
  )
})
