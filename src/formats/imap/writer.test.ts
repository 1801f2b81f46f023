import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexMessage } from '#formats/message/mime-index.ts'
import { decodeMailboxName, encodeMailboxName, readMailboxName } from './mailbox-name.ts'
import { type Response, ResponseReader, type ResponseValue } from './response-reader.ts'
import { formatBodyStructure, formatEnvelope } from './structure-writer.ts'
import {
  formatAstring,
  formatBinaryContent,
  formatContent,
  formatMailbox,
  formatNstring,
  formatSection,
  formatString,
  type ResponseChunk,
} from './writer.ts'

function read(...chunks: readonly ResponseChunk[]): Response {
  const reader = new ResponseReader()
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk)
  const response = reader.next() ?? assert.fail('no response')
  assert.equal(reader.next(), null)
  return response
}

/** Strings as latin1 text in quotes, so that they differ from atoms. */
function shown(value: ResponseValue): unknown {
  if (Buffer.isBuffer(value)) return `"${value.toString('latin1')}"`
  return Array.isArray(value) ? value.map(shown) : value
}

const message = Buffer.from(
  'Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\nSubject: afternoon meeting\r\n' +
    'To: mooch@owatagu.siam.edu\r\nReply-To: ,\r\nMessage-Id: <B27397-0100000@Blurdybloop.COM>\r\n\r\n',
)

test('ENVELOPE as in RFC 3501 §7.4.2, Sender and Reply-To taken from From', () => {
  const fred = '(("Fred Foobar" NIL "foobar" "Blurdybloop.COM"))'
  assert.equal(
    formatEnvelope(indexMessage(message).envelope!),
    `("Mon, 7 Feb 1994 21:52:25 -0800" "afternoon meeting" ${fred} ${fred} ${fred} ` +
      '((NIL NIL "mooch" "owatagu.siam.edu")) NIL NIL NIL "<B27397-0100000@Blurdybloop.COM>")',
  )
})

test('groups in ENVELOPE', () => {
  const envelope = indexMessage(Buffer.from('To: A: b@c.test;\r\n\r\n')).envelope!
  assert.equal(
    formatEnvelope(envelope),
    '(NIL NIL NIL NIL NIL ((NIL NIL "A" NIL)(NIL NIL "b" "c.test")(NIL NIL NIL NIL)) NIL NIL NIL NIL)',
  )
})

test('BODY and BODYSTRUCTURE of a multipart', () => {
  const mixed = indexMessage(
    Buffer.from(
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\none\r\n' +
        '--b\r\nContent-Type: application/pdf; name="x y"\r\nContent-ID: <1@x>\r\nContent-Transfer-Encoding: base64\r\n' +
        'Content-Disposition: attachment; filename=x\r\nContent-Language: de\r\n\r\nAAAA\r\n--b--\r\n',
    ),
  )
  const text = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0'
  const pdf = '"application" "pdf" ("name" "x y") "<1@x>" NIL "base64" 4'
  assert.equal(formatBodyStructure(mixed, false), `((${text})(${pdf}) "mixed")`)
  assert.equal(
    formatBodyStructure(mixed, true),
    `((${text} NIL NIL NIL NIL)(${pdf} NIL ("attachment" ("filename" "x")) ("de") NIL) "mixed" ("boundary" "b") NIL NIL NIL)`,
  )
})

test('text without a charset is told as US-ASCII, after its own parameters', () => {
  const parametersOf = (contentType: string) =>
    formatBodyStructure(indexMessage(Buffer.from(`Content-Type: ${contentType}\r\n\r\nx`)), false).split(' NIL NIL ')[0]
  assert.equal(parametersOf('text/html; format=flowed'), '("text" "html" ("format" "flowed" "charset" "us-ascii")')
  assert.equal(parametersOf("text/plain; charset*=''utf-8"), `("text" "plain" ("charset*" "''utf-8")`)
  assert.equal(parametersOf('image/png'), '("image" "png"')
})

test('BODYSTRUCTURE of a message in a message', () => {
  const outer = indexMessage(Buffer.from('Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n'))
  assert.equal(
    formatBodyStructure(outer, false),
    '("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ' +
      '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3)',
  )
})

test('a message with UTF-8 in its header is a message to clients of IMAP4rev2 alone', () => {
  const outer = indexMessage(Buffer.from('Content-Type: message/global\r\n\r\nSubject: s\r\n\r\nx\r\n'))
  assert.equal(formatBodyStructure(outer, false), '("message" "global" NIL NIL NIL "7bit" 17)')
  assert.match(
    formatBodyStructure(outer, false, true),
    /^\("message" "global" .* 17 \(NIL "s" .*\) \("text" .* 3 1\) 3\)$/,
  )
})

test('sections are named as clients know them', () => {
  const fields = { kind: 'fields', names: ['Date', 'X Y'], not: true } as const
  assert.equal(formatSection({ part: [], text: null }, null), 'BODY[]')
  assert.equal(formatSection({ part: [1, 2], text: { kind: 'mime' } }, null), 'BODY[1.2.MIME]')
  assert.equal(formatSection({ part: [3], text: null }, { start: 5, length: 9 }), 'BODY[3]<5>')
  assert.equal(formatSection({ part: [], text: fields }, null), 'BODY[HEADER.FIELDS.NOT (Date "X Y")]')
})

test('contents are announced and not copied', () => {
  const content = Buffer.from('a\r\nb')
  const chunks = formatContent(content)
  assert.ok(chunks.includes(content))
  assert.deepEqual(shown(read('* X ', ...chunks, ' ', ...formatContent(null), '\r\n').values), ['X', '"a\r\nb"', null])
})

const octets = fc.oneof(
  fc.string(),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constantFrom('NIL', 'nil', '', '"', '\\', '\r\n* BYE\r\n', 'a)b', '{3}', 'x {3}'),
)

test('whatever a string holds, it is read as that string and nothing else', () => {
  fc.assert(
    fc.property(octets, (text) => {
      const raw = Buffer.from(text, 'utf8').toString('latin1')
      const expected = `"${raw.replaceAll('\0', '')}"`
      for (const written of [formatString(raw), formatNstring(raw)]) {
        assert.deepEqual(shown(read(`* X ${written} (${written})\r\n`).values), ['X', expected, [expected]])
      }
      const value = shown(read(`* X ${formatAstring(raw)}\r\n`).values[1]!)
      assert.ok(value === expected || value === raw)
    }),
  )
})

test('envelopes and structures of any message are well-formed responses', () => {
  const piece = fc.constantFrom(
    ...['From: ', 'To: "a" <b@c>', 'Subject: ', '\r\n', '\r\n\r\n', '"', '\\', '\xff', '\0', '(', ')', '{5}', '--b'],
    ...['Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n', 'Content-Type: message/rfc822\r\n\r\n'],
    ...['Content-Type: text/x; a="\xff"; b={2}\r\n', 'Content-Disposition: a; b="\\""\r\n'],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const root = indexMessage(Buffer.from(pieces.join(''), 'latin1'))
      const structure = formatBodyStructure(root, true)
      const written = `ENVELOPE ${formatEnvelope(root.envelope!)} BODYSTRUCTURE ${structure}`
      const [envelope, body] = (read(`* 1 FETCH (${written})\r\n`).values[2] as ResponseValue[]).filter(Array.isArray)
      assert.equal(envelope?.length, 10)
      assert.ok(body && body.length >= 4)
    }),
    { numRuns: 300 },
  )
})

const name = fc
  .oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('&', '&-', 'R&D', '台北', '~/&', '😀&'))
  .map((text) => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '').normalize('NFC'))

test('mailbox names survive modified UTF-7', () => {
  assert.equal(encodeMailboxName('~peter/mail/台北/日本語'), '~peter/mail/&U,BTFw-/&ZeVnLIqe-')
  for (const wrong of ['&', '&AGE-', '&U,BTFw', '&U,BTFx-', 'ä', '&2D0-', '&!-']) {
    assert.equal(decodeMailboxName(wrong), null, wrong)
  }
  fc.assert(
    fc.property(name, (text) => {
      assert.equal(decodeMailboxName(encodeMailboxName(text)), text)
      for (const utf8 of [false, true]) {
        const value = read(`* LIST () "/" ${formatMailbox(text, utf8)}\r\n`).values[3] as Buffer
        assert.ok(utf8 || value.every((octet) => octet < 128))
        if (!utf8 && !/^inbox(\/|$)/i.test(text)) assert.equal(readMailboxName(value), text)
      }
    }),
  )
})

test('a content with NUL goes out without, as long as before, and is itself left alone', () => {
  const content = Buffer.from('a\0\0b\0')
  assert.deepEqual(formatContent(content), ['{5}\r\n', Buffer.from('a\x80\x80b\x80', 'latin1')])
  assert.deepEqual(formatBinaryContent(content), ['~{5}\r\n', Buffer.from('a\0\0b\0')])
})
