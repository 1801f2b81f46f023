import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChunkReader, DataReader, type ReadMessage } from './message-reader.ts'
import { dataPieces } from './message-writer.ts'

interface Read {
  readonly message: ReadMessage
  /** What came after the message. */
  readonly rest: string
}

/** Feeds the octets in pieces that end at the given offsets; null when the end was not found. */
function readData(octets: string, cuts: readonly number[] = [], maxSize = 1 << 20): Read | null {
  const reader = new DataReader(maxSize)
  const ends = [...new Set([...cuts, octets.length])].filter((cut) => cut <= octets.length).sort((a, b) => a - b)
  let from = 0
  for (const end of ends) {
    const used = reader.push(Buffer.from(octets.slice(from, end), 'latin1'))
    if (used !== null) return { message: reader.finish(), rest: octets.slice(from + used) }
    from = end
  }
  return null
}

function contentOf(read: Read | null): string {
  assert.equal(read?.message.kind, 'message')
  return read.message.content.toString('latin1')
}

/** Text in which everything that matters to the reader is frequent. */
const tricky = fc.array(fc.constantFrom('\r\n', '.', '\r', '\n', 'a', '\r\n.', '..', '\r\n.\r\n', 'text', '\0', 'é'), {
  maxLength: 40,
})
const lines = fc
  .array(fc.array(fc.constantFrom('.', 'a', '..', ' ', 'long '.repeat(20), '\0', 'é'), { maxLength: 6 }), {
    maxLength: 12,
  })
  .map((all) => all.map((line) => `${line.join('')}\r\n`).join(''))
const cuts = fc.array(fc.nat(200), { maxLength: 12 })

/** The specification, octet by octet. */
function slowly(octets: string): { content: string; bare: boolean; rest: string } | null {
  const end = octets.startsWith('.\r\n') ? 0 : octets.indexOf('\r\n.\r\n') + 2
  if (end < 2 && !octets.startsWith('.\r\n')) return null
  const stuffed = octets.slice(0, end)
  const bare = /\r(?!\n)/.test(stuffed) || /(^|[^\r])\n/.test(stuffed)
  const content = stuffed
    .split('\r\n')
    .map((line) => (line.startsWith('.') ? line.slice(1) : line))
    .join('\r\n')
  return { content, bare, rest: octets.slice(end + 3) }
}

describe('DATA', () => {
  test('is the inverse of the writer, however the octets are cut', () => {
    fc.assert(
      fc.property(lines, cuts, (content, at) => {
        const sent = Buffer.concat(dataPieces(Buffer.from(content, 'latin1'))).toString('latin1')
        const read = readData(`${sent}QUIT\r\n`, at)
        assert.equal(contentOf(read), content)
        assert.equal(read?.rest, 'QUIT\r\n')
      }),
    )
  })

  test('does for any octets and any cuts what the specification says', () => {
    fc.assert(
      fc.property(tricky, cuts, (pieces, at) => {
        const octets = pieces.join('')
        const expected = slowly(octets)
        const read = readData(octets, at)
        assert.equal(read === null, expected === null)
        if (!read || !expected) return
        assert.equal(read.rest, expected.rest)
        if (expected.bare)
          assert.deepEqual({ ...read.message, size: 0 }, { kind: 'unacceptable', why: 'bare-line-ending', size: 0 })
        else assert.equal(contentOf(read), expected.content)
      }),
      { numRuns: 2000 },
    )
  })

  for (const end of ['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\n', '\r\n.\r', '\r.\r\n', '\r\n\0.\r\n', '\n.\r']) {
    test(`smuggling: ${JSON.stringify(end)} does not end it, and it is refused`, () => {
      const smuggled = `a${end}MAIL FROM:<evil@example.test>\r\n`
      assert.equal(readData(smuggled), null)
      const read = readData(`${smuggled}.\r\nNOOP\r\n`)
      assert.equal(read?.rest, 'NOOP\r\n')
      if (!end.includes('\0')) assert.equal(read?.message.kind, 'unacceptable')
    })
  }

  test('an empty message', () => {
    assert.equal(contentOf(readData('.\r\n')), '')
    assert.equal(contentOf(readData('.\r\n', [1])), '')
    assert.equal(contentOf(readData('.\r\n', [1, 2])), '')
  })

  test('beyond the limit it keeps nothing and still finds the end', () => {
    const reader = new DataReader(10)
    assert.equal(reader.push(Buffer.from('123456\r\n')), null)
    assert.equal(reader.kept, 8)
    assert.equal(reader.push(Buffer.from('123\r\n')), null)
    assert.equal(reader.kept, 0)
    assert.equal(reader.push(Buffer.from('x\r\n.\r\nQUIT')), 6)
    assert.deepEqual(reader.finish(), { kind: 'unacceptable', why: 'too-big', size: 16 })
    assert.equal(contentOf(readData('12345678\r\n.\r\n', [], 10)), '12345678\r\n')
  })

  test('a message in one piece is not copied', () => {
    const chunk = Buffer.from(`${'x'.repeat(70)}\r\n.\r\n`)
    const reader = new DataReader(1000)
    assert.equal(reader.push(chunk), chunk.length)
    const message = reader.finish()
    assert.ok(message.kind === 'message' && message.content.buffer === chunk.buffer)
  })

  test('octet by octet costs no object per octet', () => {
    const reader = new DataReader(1 << 20)
    const text = `${'0123456789'.repeat(10)}\r\n..\r\n`.repeat(50)
    for (const char of text) assert.equal(reader.push(Buffer.from(char)), null)
    for (const char of '.\r') assert.equal(reader.push(Buffer.from(char)), null)
    assert.equal(reader.push(Buffer.from('\n')), 1)
    const message = reader.finish()
    assert.ok(message.kind === 'message')
    assert.equal(message.content.toString('latin1'), text.replaceAll('\r\n..', '\r\n.'))
  })
})

describe('BDAT', () => {
  const readChunks = (chunks: readonly string[], maxSize = 1 << 20): ReadMessage => {
    const reader = new ChunkReader(maxSize)
    for (const chunk of chunks) reader.push(Buffer.from(chunk, 'latin1'))
    return reader.finish()
  }

  test('any octets in any chunks: kept exactly, or refused for a lone CR or LF', () => {
    fc.assert(
      fc.property(
        fc.array(
          tricky.map((pieces) => pieces.join('')),
          { maxLength: 8 },
        ),
        (chunks) => {
          const all = chunks.join('')
          const message = readChunks(chunks)
          if (/\r(?!\n)/.test(all) || /(^|[^\r])\n/.test(all)) {
            assert.ok(message.kind === 'unacceptable' && message.why === 'bare-line-ending')
          } else {
            assert.ok(message.kind === 'message')
            assert.equal(message.content.toString('latin1'), all === '' || all.endsWith('\n') ? all : `${all}\r\n`)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('dots are content', () => {
    const message = readChunks(['a\r\n.', '\r\n..\r\n'])
    assert.ok(message.kind === 'message' && message.content.toString('latin1') === 'a\r\n.\r\n..\r\n')
  })

  test('beyond the limit', () => {
    assert.deepEqual(readChunks(['12345\r\n', '12345\r\n'], 10), { kind: 'unacceptable', why: 'too-big', size: 14 })
  })
})
