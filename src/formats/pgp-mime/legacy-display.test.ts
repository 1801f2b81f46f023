import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePartText } from '#formats/message/decode-part.ts'
import { indexMessage, type MimePart } from '#formats/message/mime-index.ts'
import { originalOf, payloadOf } from './pgp-mime.ts'

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n`
const octets = (text: string) => Buffer.from(text, 'latin1')
const letter = (subject: string, ...rest: string[]) =>
  octets(lines('From: a@alpha.test', `Subject: ${subject}`, ...rest))

/** The payload's part at that place, as text; checks on the way that the way back is exact. */
function shown(message: Buffer, ...path: number[]): string | null {
  const payload = payloadOf(message, 'travel')
  assert.ok(originalOf(payload).equals(message))
  let part: MimePart = indexMessage(payload)
  for (const index of path) part = part.children[index]!
  const isAnnounced = part.parameters.some(([name, value]) => name === 'hp-legacy-display' && value === '1')
  const text = decodePartText(part, payload)!
  assert.equal(isAnnounced, text.startsWith('Subject: ') || text.includes('header-protection-legacy-display'))
  return isAnnounced ? text : null
}

test('a text begins with the subject', () => {
  const message = letter('The merger', 'Content-Type: text/plain; charset=utf-8', '', 'It is on.')
  assert.equal(
    payloadOf(message, 'travel').toString(),
    lines(
      'HP-Outer: From: a@alpha.test',
      'HP-Outer: Subject: [...]',
      'From: a@alpha.test',
      'Subject: The merger',
      'Content-Type: text/plain; charset=utf-8;',
      ' hp-legacy-display="1";',
      ' hp="cipher"; protected-headers="v1"',
      '',
      'Subject: The merger',
      '',
      'It is on.',
    ),
  )
  assert.equal(shown(letter('No type', '', 'Text')), 'Subject: No type\r\n\r\nText\r\n')
  assert.equal(shown(letter('No text', 'Content-Type: text/plain', '')), 'Subject: No text\r\n\r\n')
  assert.equal(payloadOf(message).indexOf('hp-legacy-display'), -1, 'what rests has none')
})

test('both texts of a message in two say it, in the charset and transfer encoding that each has', () => {
  const boundary = (...parts: string[]) =>
    parts
      .flatMap((part) => ['--b', part])
      .concat('--b--')
      .join('\r\n')
  const html = '<html><!-- <body> --><body class="a>b">\r\n<p>Hallo</p></body></html>'
  const message = letter(
    '=?utf-8?Q?Gr=C3=BC=C3=9Fe_&_<b>?=',
    'Content-Type: multipart/mixed; boundary=a',
    '',
    '--a',
    'Content-Type: multipart/alternative; boundary=b',
    '',
    boundary(
      lines(
        'Content-Type: text/plain; charset=iso-8859-1',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'Sch=F6n',
      ),
      lines('Content-Type: text/html; charset=utf-8', 'Content-Transfer-Encoding: base64', '', wrapped(html)),
    ),
    '--a',
    'Content-Type: text/plain',
    '',
    'the second text is none of the main ones',
    '--a--',
  )
  assert.equal(shown(message, 0, 0), 'Subject: Grüße & <b>\r\n\r\nSchön\r\n')
  assert.equal(
    shown(message, 0, 1),
    html.replace(
      'a>b">',
      'a>b">\r\n<div class="header-protection-legacy-display"><pre>Subject: Gr&#252;&#223;e &#38; &#60;b&#62;</pre></div>\r\n',
    ),
  )
  assert.equal(shown(message, 1), null)
})

function wrapped(text: string, width = 76): string {
  return Buffer.from(text)
    .toString('base64')
    .replace(new RegExp(`.{${width}}(?=.)`, 'g'), '$&\r\n')
}

test('a piece of HTML without a body has it in front, a document without one not at all', () => {
  const html = (text: string) => letter('S', 'Content-Type: text/html', '', text)
  assert.match(shown(html('<p>Hello</p>'))!, /^\r\n<div class="header-protection-legacy-display">/)
  assert.equal(shown(html('<!DOCTYPE html><html><p>Hello</p>')), null)
  assert.equal(shown(html('<!-- <body> never ends')), null)
  assert.equal(shown(html('<body class="never ends>')), null)
})

test('it is left out where the part cannot carry it', () => {
  const umlaut = '=?utf-8?Q?Gr=C3=BC=C3=9Fe?='
  const plain = (subject: string, charset: string, encoding = '8bit') =>
    shown(
      letter(
        subject,
        `Content-Type: text/plain; charset=${charset}`,
        `Content-Transfer-Encoding: ${encoding}`,
        '',
        'x',
      ),
    )
  assert.equal(plain(umlaut, 'utf-8')?.slice(0, 16), 'Subject: Grüße\r\n')
  assert.equal(plain(umlaut, 'windows-1252')?.slice(0, 16), 'Subject: Grüße\r\n')
  assert.equal(plain(umlaut, 'utf-8', '7bit'), null)
  assert.equal(plain(umlaut, 'us-ascii'), null)
  assert.equal(plain(umlaut, 'koi8-r'), null)
  assert.equal(plain('=?utf-8?Q?=E2=82=AC?=', 'iso-8859-1'), null)
  assert.equal(plain('plain', 'utf-16'), null)
  assert.equal(plain('plain', 'nonsense'), null)
  assert.equal(plain('plain', 'utf-8', 'x-uuencode'), null)
  assert.equal(plain('long '.repeat(200), 'utf-8'), null)
  for (const subject of ['', '=?utf-8?Q?_?=', 'one\r\nSubject: two']) assert.equal(plain(subject, 'utf-8'), null)
})

const subject = fc.constantFrom(
  'x',
  'The <merger> & "more"',
  '=?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
  'caf\xc3\xa9',
  'a\r\n b',
  '',
)
const charset = fc.constantFrom('utf-8', 'us-ascii', 'iso-8859-1', 'koi8-r', 'utf-16', 'shift_jis', 'nonsense')
const html = fc.constantFrom(
  '<body>',
  '<BODY style="a>b"\r\n>',
  '<html>',
  '<!-- ',
  '-->',
  '<p>',
  "<body class='",
  "'>",
  '',
)
const line = fc.oneof(
  html,
  fc.constantFrom('Subject: x', '', 'text', 'a=3Db=', '--b', '--b--', '-- ', 'caf\xe9'),
  fc.string({ maxLength: 20 }),
)
const end = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '')
const text = fc.array(fc.tuple(line, end), { maxLength: 6 }).map((all) => all.flat().join(''))
const encodedText = fc
  .tuple(
    fc.constantFrom('7bit', '8bit', 'quoted-printable', 'base64', 'base64', 'BASE64', 'binary', 'x'),
    text,
    fc.nat(3),
  )
  .map(([encoding, body, how]) => ({
    encoding,
    body: encoding !== 'base64' || how === 0 ? body : wrapped(body, how === 1 ? 76 : 60) + (how === 2 ? '\r\n' : ''),
  }))
const entity = fc
  .tuple(
    fc.constantFrom('text/plain', 'text/plain', 'text/html', 'text/html', 'image/png', null),
    charset,
    encodedText,
    fc.nat(5),
  )
  .map(([type, chars, { encoding, body }, odd]) => {
    const fields = [
      ...(type ? [`Content-Type: ${type}; charset=${chars}${['', ';', '; \t', '', '', ' (x'][odd]}\r\n`] : []),
      ...(encoding === '7bit' ? [] : [`Content-Transfer-Encoding: ${encoding}\r\n`]),
      ...(odd === 3 ? ['Content-Disposition: attachment\r\n'] : []),
      ...(odd === 4 ? ['hp-legacy-display: 1\n'] : []),
    ]
    return `${fields.join('')}\r\n${body}`
  })
const multipart = (inner: fc.Arbitrary<string>, boundary: string) =>
  fc
    .tuple(
      fc.constantFrom('mixed', 'alternative', 'related', 'signed', 'digest'),
      fc.array(inner, { maxLength: 3 }),
      fc.boolean(),
    )
    .map(([subtype, parts, closes]) => {
      const delimited = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')
      return `Content-Type: multipart/${subtype}; boundary=${boundary}\r\n\r\n${delimited}${closes ? `--${boundary}--\r\n` : ''}`
    })
const messages = fc
  .tuple(subject, fc.oneof(entity, multipart(fc.oneof(entity, multipart(entity, 'c')), 'b')))
  .map(([about, root]) => octets(`From: a@alpha.test\r\nSubject: ${about}\r\n${root}`))

test('whatever the message, it comes back to the octet, and so does its payload as a message', () => {
  let displayed = 0
  fc.assert(
    fc.property(messages, (message) => {
      const payload = payloadOf(message, 'travel')
      if (payload.includes('hp-legacy-display="1"')) displayed++
      assert.ok(originalOf(payload).equals(message))
      assert.ok(originalOf(payloadOf(payload, 'travel')).equals(payload))
      assert.ok(originalOf(payloadOf(payload, 'device')).equals(payload))
    }),
    { numRuns: 1500 },
  )
  assert.ok(displayed > 100, `${displayed} of them were of use`)
})

test('any octets have an original', () => {
  const pieces = [
    ...payloadOf(letter('S', 'Content-Type: text/html', '', '<p>x</p>'), 'travel')
      .toString('latin1')
      .split(/(?<=\n)/),
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces, 'Subject: T\r\n', '\r\n', '\n'), { maxLength: 20 }), (mixed) => {
      originalOf(octets(mixed.join('')))
    }),
    { numRuns: 500 },
  )
})
