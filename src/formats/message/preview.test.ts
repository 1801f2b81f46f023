import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { textOfHtml } from './html-text.ts'
import { indexMessage } from './mime-index.ts'
import { PREVIEW_LENGTH, previewOf } from './preview.ts'

const preview = (message: string) => {
  const octets = Buffer.from(message)
  return previewOf(indexMessage(octets), octets)
}
const html = (text: string) => preview(`Content-Type: text/html; charset=utf-8\r\n\r\n${text}`)

test('the first words of plain text, on one line, without quotes and signature', () => {
  assert.equal(preview('Subject: x\r\n\r\n  Noon\r\n\tat the  usual place?\r\n'), 'Noon at the usual place?')
  assert.equal(preview('Subject: x\r\n\r\n> Lunch?\r\n> Where?\r\nYes.\r\n-- \r\nEve\r\n'), 'Yes.')
  assert.equal(preview('Subject: x\r\n\r\n> Lunch?\r\n'), '> Lunch?')
  assert.equal(preview('Subject: x\r\n\r\n'), '')
  assert.equal(preview('Subject: x\r\n\r\nbe\u202efo\u00adre\0after\u200b.'), 'before after.')
})

test('never more than two hundred characters, whole ones', () => {
  assert.equal(preview(`Subject: x\r\n\r\n${'word '.repeat(100)}`).length, PREVIEW_LENGTH - 1)
  const faces = preview(`Content-Type: text/plain; charset=utf-8\r\n\r\n${'😀'.repeat(300)}`)
  assert.equal(faces, '😀'.repeat(PREVIEW_LENGTH))
})

test('HTML is read as a reader sees it', () => {
  assert.equal(
    html('<html><head><style>p > a {}</style></head><body><p>Hello <b>w</b>orld</p>2&lt;3'),
    'Hello world 2<3',
  )
  assert.equal(
    html('<!-- no --><a title="a>b" href=\'x\'>link</a><br>J&uuml;rgen &amp; &#x48;&#105;&nbsp;&zwnj;!'),
    'link Jürgen & Hi !',
  )
  assert.equal(html('a < b and <script>if (a</b) x()</script>c'), 'a < b and c')
  assert.equal(html('<style>never ends'), '')
  assert.equal(html('<p'), '')
  assert.equal(html('&bogus; &#0; &#xD800; &'), '&bogus; &')
})

test('the part that is there to be read', () => {
  const parts = (...of: readonly string[]) =>
    preview(
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${of.map((one) => `--b\r\n${one}\r\n`).join('')}--b--\r\n`,
    )
  assert.equal(
    parts(
      'Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nno',
      'Content-Type: text/html\r\n\r\n<i>yes</i>',
    ),
    'yes',
  )
  assert.equal(parts('Content-Type: text/plain\r\n\r\n \r\n', 'Content-Type: text/html\r\n\r\n<i>yes</i>'), 'yes')
  assert.equal(parts('Content-Type: message/rfc822\r\n\r\nSubject: no\r\n\r\nno'), '')
  assert.equal(parts('Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA'), '')
  assert.equal(
    preview('Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nVersion: 1\r\n--b--\r\n'),
    '',
    'what is encrypted has no words',
  )
  assert.equal(preview('Subject: x\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEM'), '')
  assert.equal(
    preview(
      'Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nStra=DFe',
    ),
    'Straße',
  )
})

test('any text has a preview that can be shown', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), fc.boolean(), (text, isHtml) => {
      const shown = isHtml ? html(text) : preview(`Content-Type: text/plain; charset=utf-8\r\n\r\n${text}`)
      assert.ok([...shown].length <= PREVIEW_LENGTH)
      assert.ok(shown.isWellFormed() && !/[\0-\x1f\x7f]/.test(shown) && shown === shown.trim())
    }),
  )
})

test('the time that broken HTML takes grows with its length alone', () => {
  for (const piece of ['<', '<!--', '<a "', '<style>', '</', '&', '<style></styl'])
    assert.equal(typeof textOfHtml(piece.repeat(200_000 / piece.length), 1600), 'string')
})
