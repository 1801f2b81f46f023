import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanHeader } from '#formats/message/header.ts'
import { crlf } from '../../../test/support/sealed-letters.ts'
import { withoutForeignDisplay } from './foreign-display.ts'

const TEXT = ["Let's meet at Rama's Roti Shop at 8pm and go to the park", 'from there.']
const TYPE = 'charset="us-ascii"; hp-legacy-display="1"; hp="cipher"'

function hidden(...lines: string[]): string {
  const entity = crlf(...lines)
  return withoutForeignDisplay(entity, scanHeader(entity)).toString('latin1')
}

const as = (...lines: string[]) => crlf(...lines).toString('latin1')

test('RFC 9788 Appendix E.1: the lines above the text', () => {
  const head = [`Content-Type: text/plain; ${TYPE}`, '']
  assert.equal(hidden(...head, 'Subject: Dinner plans', '', ...TEXT), as(...TEXT))
  assert.equal(hidden(...head, 'Subject: Dinner', ' plans', 'cc: Bob', '', ...TEXT), as(...TEXT))
})

const HTML = [
  '<html><head><title></title></head><body>',
  '<div class="header-protection-legacy-display">',
  '<pre>Subject: Dinner plans</pre>',
  '</div>',
  '<p>',
  ...TEXT,
  '</p>',
  '</body>',
  '</html>',
]
const HIDDEN = [HTML[0]!, ...HTML.slice(4)]

test('RFC 9788 Appendix E.2: the element above the text', () => {
  const text = hidden(`Content-Type: text/html; ${TYPE}`, '', ...HTML)
  assert.equal(text.replaceAll('\r\n\r\n', '\r\n'), as(...HIDDEN))
})

test('in the encoding that the part has', () => {
  const plain = as('Subject: Dinner', '', 'Grüße = all')
  const base64 = Buffer.from(plain, 'latin1').toString('base64')
  const head = ['Content-Type: text/plain; charset=iso-8859-1; hp-legacy-display=1']
  const decoded = Buffer.from(hidden(...head, 'Content-Transfer-Encoding: base64', '', base64), 'base64')
  assert.equal(decoded.toString('latin1').trim(), Buffer.from('Grüße = all').toString('latin1'))
  const quoted = 'Subject: a=\r\n\r\nSubject: b\r\n\r\nGr=FC=DFe =3D all'
  const encoding = 'Content-Transfer-Encoding: quoted-printable'
  assert.equal(hidden(...head, encoding, '', quoted), as('Gr=FC=DFe =3D all'))
  const html = HTML.join('\r\n').replaceAll('=', '=3D').replace('legacy-display', 'legacy=\r\n-display')
  assert.doesNotMatch(hidden(`Content-Type: text/html; ${TYPE}`, encoding, '', html), /Dinner/)
})

test('in the main parts alone', () => {
  const display = ['Subject: Dinner plans', '']
  const plain = (...fields: string[]) => [`Content-Type: text/plain; ${TYPE}`, ...fields, '', ...display, ...TEXT]
  const entity = [
    'Content-Type: multipart/mixed; boundary=a; hp=cipher',
    '',
    '--a',
    'Content-Type: multipart/alternative; boundary=b',
    '',
    '--b',
    ...plain(),
    '--b',
    `Content-Type: text/html; ${TYPE}`,
    '',
    ...HTML,
    '--b--',
    '--a',
    ...plain('X-Second: 1'),
    '--a--',
  ]
  const shown = hidden(...entity)
  assert.equal(shown.match(/Subject: Dinner plans/g)?.length, 1)
  assert.ok(shown.indexOf('X-Second') < shown.indexOf('Subject: Dinner plans'))
  assert.equal(shown.match(/from there/g)?.length, 3)
  const attached = plain('Content-Disposition: attachment')
  assert.equal(hidden(...attached), as(...attached.slice(3)))
})

test('where it is not clear what would go, nothing goes', () => {
  for (const [type, ...lines] of [
    ['text/plain; charset=utf-8', 'Subject: Dinner', '', 'x'],
    ['text/plain; hp-legacy-display=0', 'Subject: Dinner', '', 'x'],
    ['text/plain; hp-legacy-display=1; charset=utf-16', 'Subject: Dinner', '', 'x'],
    ['text/plain; hp-legacy-display=1', 'Subject: Dinner', 'x'],
    ['text/plain; hp-legacy-display=1', '', 'x'],
    ['text/plain; hp-legacy-display=1', 'Note: Dinner', '', 'x'],
    ['text/plain; hp-legacy-display=1', 'Subject: Dinner', 'I said so', '', 'x'],
    ['text/plain; hp-legacy-display=1', ' folded', '', 'x'],
    ['text/plain; hp-legacy-display=1', ...Array.from({ length: 200 }, () => 'To: x'), '', 'x'],
    ['text/html; hp-legacy-display=1', '<p>first</p><div class="header-protection-legacy-display">x</div>'],
    ['text/html; hp-legacy-display=1', '<div class="header-protection-legacy-display">x'],
    ['text/html; hp-legacy-display=1', '<div class="header-protection-legacy-display"><div>x</div></div>'],
    ['text/html; hp-legacy-display=1', '<div class="a header-protection-legacy-display">x</div>'],
    ['text/csv; hp-legacy-display=1', 'Subject: Dinner', '', 'x'],
  ] as const) {
    assert.equal(hidden(`Content-Type: ${type}`, '', ...lines), as(...lines), type)
  }
})

test('whatever the entity is, its body stays or becomes shorter', () => {
  const pieces = fc.constantFrom(
    `Content-Type: text/plain; ${TYPE}\r\n`,
    `Content-Type: text/html; ${TYPE}\r\n`,
    'Content-Type: multipart/alternative; boundary=a\r\n',
    '--a\r\n',
    'Subject: x\r\n',
    '\r\n',
    '<body>',
    '<div class="header-protection-legacy-display">',
    '</div>',
    'text\r\n',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 15 }), (all) => {
      const entity = Buffer.from(all.join(''))
      const header = scanHeader(entity)
      assert.ok(withoutForeignDisplay(entity, header).length <= entity.length - header.range.end)
    }),
  )
})
