import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import PostalMime from 'postal-mime'
import { LISTED_LIMIT } from './address-list.ts'
import { decodePart } from './decode-part.ts'
import { DEPTH_LIMIT, indexMessage, type MimePart, PARTS_LIMIT } from './mime-index.ts'

const octets = (text: string) => Buffer.from(text, 'latin1')

/** Type and children, and the body of leaves. */
function outline(message: Buffer, part: MimePart = indexMessage(message)): unknown {
  const name = `${part.type}/${part.subtype}`
  if (part.children.length > 0) return [name, ...part.children.map((child) => outline(message, child))]
  return `${name}: ${message.toString('latin1', part.body.start, part.body.end)}`
}

test('finds the parts of a multipart, preamble and epilogue left out', () => {
  const message = octets(
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\nContent-Type: text/html\r\n\r\none\r\n\r\n' +
      '--b\r\n\r\ntwo\r\n--bx\r\n--b--\r\nepilogue\r\n--b\r\n\r\nnot a part\r\n',
  )
  assert.deepEqual(outline(message), ['multipart/mixed', 'text/html: one\r\n', 'text/plain: two\r\n--bx'])
  const [html, text] = indexMessage(message).children
  assert.equal(message.toString('latin1', html!.header.start, html!.header.end), 'Content-Type: text/html\r\n\r\n')
  assert.deepEqual([html!.lines, text!.lines], [1, 1])
})

test('delimiters with blanks behind them, bare LF, no line end at the end', () => {
  const lf = octets('Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--b\t\r\n\ntwo\n--b--')
  assert.deepEqual(outline(lf), ['multipart/mixed', 'text/plain: one', 'text/plain: two'])
})

test('an outer delimiter ends inner multiparts that were not closed', () => {
  const message = octets(
    'Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n' +
      '--i\r\n\r\na\r\n--i\r\n\r\nb\r\n--o\r\n\r\nc\r\n--o--\r\n',
  )
  assert.deepEqual(outline(message), [
    'multipart/mixed',
    ['multipart/alternative', 'text/plain: a', 'text/plain: b'],
    'text/plain: c',
  ])
})

test('the same boundary inside and outside belongs to the inner one until that is closed', () => {
  const message = octets(
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n' +
      '--b\r\n\r\na\r\n--b--\r\n--b\r\n\r\nc\r\n--b--\r\n',
  )
  assert.deepEqual(outline(message), ['multipart/mixed', ['multipart/mixed', 'text/plain: a'], 'text/plain: c'])
})

test('empty parts, parts without a body, parts without an empty line', () => {
  const message = octets(
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b\r\nContent-Type: text/x\r\n\r\n--b\r\n' +
      'Content-Type: text/y\r\n--b\r\n\r\n\r\n--b--',
  )
  assert.deepEqual(outline(message), [
    'multipart/mixed',
    ...['text/plain: ', 'text/plain: ', 'text/x: ', 'text/y: ', 'text/plain: '],
  ])
})

test('messages in messages have envelopes, digests are made of messages', () => {
  const message = octets(
    'Subject: outer\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\nbody\r\n' +
      '--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: two\r\n' +
      'Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n',
  )
  const root = indexMessage(message)
  assert.deepEqual(outline(message), [
    'multipart/digest',
    ['message/rfc822', 'text/plain: body'],
    'text/plain: text',
    ['message/rfc822', ['multipart/mixed', 'text/plain: x']],
  ])
  const [one, , two] = root.children
  assert.equal(root.envelope?.subject, 'outer')
  assert.equal(one!.envelope, null)
  assert.equal(one!.children[0]!.envelope?.subject, 'one')
  assert.deepEqual([one!.lines, one!.children[0]!.lines, two!.lines], [2, 0, 5])
})

test('an encoded message is not looked into, but it is still a message', () => {
  const message = octets(
    'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQp4\r\n',
  )
  const root = indexMessage(message)
  assert.equal(root.children.length, 1)
  assert.equal(root.children[0]!.envelope?.subject, null)
  assert.deepEqual(root.children[0]!.body, root.body)
})

test('what is broken is text/plain', () => {
  const types = ['multipart/mixed', 'multipart/mixed; boundary=""', 'multipart/mixed; boundary=none', 'x', '/', 'a/']
  for (const type of types) {
    assert.equal(outline(octets(`Content-Type: ${type}\r\n\r\n--b\r\n\r\nx`)), 'text/plain: --b\r\n\r\nx', type)
  }
  assert.equal(outline(octets('')), 'text/plain: ')
  assert.equal(outline(octets('\r\n')), 'text/plain: ')
  assert.equal(outline(octets('\r\nbody')), 'text/plain: body')
})

test('reads the fields of BODYSTRUCTURE raw', () => {
  const root = indexMessage(
    octets(
      'Content-Type: Text/HTML (a comment); Charset="UTF-8" (another); name*0*=utf-8\'\'a%20; name*1="b%"; x=a b; x=2; y*1=lost\r\n' +
        'Content-ID: <1@x>\r\nContent-Description: =?utf-8?q?a?=\r\nContent-Transfer-Encoding: Quoted-Printable ; x\r\n' +
        'Content-MD5: Q2hlY2s=\r\nContent-Disposition: attachment;\r\n filename="a\\"b.txt"\r\nContent-Language: de, en-GB\r\n' +
        'Content-Location: http://x.test/\r\nContent-Type: image/png\r\n\r\n',
    ),
  )
  assert.deepEqual([root.type, root.subtype, root.encoding], ['text', 'html', 'quoted-printable'])
  assert.deepEqual(root.parameters, [
    ['charset', 'UTF-8'],
    ['name*', "utf-8''a%20b%25"],
    ['x', 'a b'],
  ])
  assert.deepEqual([root.id, root.description, root.md5], ['<1@x>', '=?utf-8?q?a?=', 'Q2hlY2s='])
  assert.deepEqual(root.disposition, { type: 'attachment', parameters: [['filename', 'a"b.txt']] })
  assert.deepEqual([root.language, root.location], [['de', 'en-GB'], 'http://x.test/'])
})

test('beyond the limits the rest is opaque, and it costs little', () => {
  const many = octets(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(PARTS_LIMIT * 2)}`)
  assert.equal(indexMessage(many).children.length, PARTS_LIMIT - 1)
  const nest = (level: number) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`
  const deep = octets(Array.from({ length: DEPTH_LIMIT * 3 }, (_, level) => nest(level)).join(''))
  const messages = octets('Content-Type: message/rfc822\r\n\r\n'.repeat(DEPTH_LIMIT * 3))
  for (const message of [deep, messages]) {
    let depth = 0
    for (let part: MimePart | undefined = indexMessage(message); part; part = part.children[0]) depth++
    assert.ok(depth <= DEPTH_LIMIT + 2, `${depth}`)
  }
  const header = Buffer.concat([
    octets('Content-Type: multipart/mixed; boundary=b\r\nX: '),
    Buffer.alloc(11_000_000, 'x'),
  ])
  assert.equal(indexMessage(header).type, 'text')
  const lookalikes = octets(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b-\n'.repeat(2_000_000)}`)
  assert.equal(indexMessage(lookalikes).type, 'text')
})

test('what is kept of a field is bounded', () => {
  const long = 'x'.repeat(1_000_000)
  const addresses = 'a@b.test, '.repeat(500_000)
  const root = indexMessage(
    octets(`Subject: ${long}\r\nTo: ${addresses}\r\nContent-Type: text/html; a=${long}\r\n\r\n`),
  )
  assert.ok(JSON.stringify(root).length < 1_000_000)
  assert.deepEqual([root.subtype, root.envelope!.to!.length], ['html', LISTED_LIMIT])
})

/** A tree that is composed with known places. */
interface Grown {
  readonly text: string
  /** Bodies of leaves in order. */
  readonly leaves: readonly string[]
}

const body = fc
  .array(fc.constantFrom('a', '-', '--', 'x: y', '\r\n', '\r\n--', ' ', '=3D', '\xff'), { maxLength: 12 })
  .map((pieces) => pieces.join(''))
const leaf: fc.Arbitrary<Grown> = fc
  .tuple(fc.constantFrom('text/plain', 'text/html', 'image/png', 'application/x'), body)
  .map(([type, text]) => ({ text: `Content-Type: ${type}\r\n\r\n${text}`, leaves: [text] }))

/** Boundaries are numbered by the tree itself, so that none is part of another. */
const { tree } = fc.letrec<{ tree: Grown; multipart: Grown; message: Grown }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4, depthSize: 'small' }, leaf, tie('multipart'), tie('message')),
  message: tie('tree').map(({ text, leaves }) => ({
    text: `Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n${text}`,
    leaves,
  })),
  multipart: fc
    .tuple(fc.array(tie('tree'), { minLength: 1, maxLength: 3 }), fc.uuid(), fc.boolean(), body)
    .map(([parts, boundary, closed, epilogue]) => ({
      text:
        `Content-Type: multipart/mixed;\r\n boundary="${boundary}"\r\n\r\npreamble` +
        parts.map(({ text }) => `\r\n--${boundary}\r\n${text}`).join('') +
        (closed ? `\r\n--${boundary}--\r\n${epilogue}` : ''),
      leaves: parts.flatMap(({ leaves }) => leaves),
    })),
}))

function* leavesOf(part: MimePart): Generator<MimePart> {
  if (part.children.length === 0) yield part
  for (const child of part.children) yield* leavesOf(child)
}

test('ranges slice out exactly what was composed', () => {
  fc.assert(
    fc.property(tree, ({ text, leaves }) => {
      const message = octets(text)
      const found = [...leavesOf(indexMessage(message))]
      assert.deepEqual(
        found.map(({ body }) => message.toString('latin1', body.start, body.end)),
        leaves,
      )
      for (const { body, type, lines } of found) {
        const counted = message.toString('latin1', body.start, body.end).split('\n').length - 1
        assert.equal(lines, type === 'text' ? counted : 0)
      }
    }),
    { numRuns: 300 },
  )
})

test('any octets have an index whose parts lie within each other', () => {
  const piece = fc.constantFrom(
    ...['--b', '--b--', '--c', '\r\n', '\n', '\r\n\r\n', ' ', 'x', 'a: b'],
    ...['Content-Type: multipart/mixed; boundary=b\r\n', 'Content-Type: multipart/digest; boundary=c\r\n'],
    'Content-Type: message/rfc822\r\n',
  )
  const check = (part: MimePart, start: number, end: number): void => {
    assert.ok(start <= part.header.start && part.header.end === part.body.start && part.body.end <= end)
    assert.ok(part.header.start <= part.header.end && part.body.start <= part.body.end)
    if (part.type === 'multipart') assert.ok(part.children.length > 0)
    if (part.type === 'message') assert.ok(part.children.length === 1 && part.children[0]!.envelope)
    let at = part.body.start
    for (const child of part.children) {
      check(child, at, part.body.end)
      at = child.body.end
    }
  }
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const message = octets(pieces.join(''))
      check(indexMessage(message), 0, message.length)
    }),
    { numRuns: 500 },
  )
})

const encodings = ['base64', '7bit'] as const
const attachment = fc.record({
  name: fc.stringMatching(/^[a-z]{1,8}\.bin$/),
  encoding: fc.constantFrom(...encodings),
  content: fc.stringMatching(/^[a-z0-9 ]{1,200}$/),
})

test('an independent parser finds the same contents (postal-mime)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(attachment, { minLength: 1, maxLength: 4 }), fc.uuid(), async (attachments, boundary) => {
      const parts = attachments.map(({ name, encoding, content }) => {
        const written = encoding === 'base64' ? Buffer.from(content).toString('base64') : content
        const fields = `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=${name}`
        return `--${boundary}\r\n${fields}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${written}\r\n`
      })
      const header = `From: A <a@x.test>\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`
      const message = octets(`${header}${parts.join('')}--${boundary}--\r\n`)
      const read = await PostalMime.parse(message)
      const found = indexMessage(message)
      assert.equal(found.envelope?.subject, read.subject)
      assert.deepEqual(
        found.children.map((part) => [
          part.disposition!.parameters[0]![1],
          decodePart(part, message).toString().trimEnd(),
        ]),
        read.attachments.map(({ filename, content }) => [
          filename,
          Buffer.from(content as ArrayBuffer)
            .toString()
            .trimEnd(),
        ]),
      )
    }),
    { numRuns: 50 },
  )
})
