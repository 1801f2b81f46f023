import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePart, decodePartText } from './decode-part.ts'
import { indexMessage } from './mime-index.ts'

function text(fields: string, body: string | Buffer): string | null {
  const message = Buffer.concat([Buffer.from(`${fields}\r\n\r\n`), Buffer.from(body as string, 'latin1')])
  return decodePartText(indexMessage(message), message)
}

test('undoes transfer encoding and charset', () => {
  const quoted = 'Content-Transfer-Encoding: quoted-printable'
  assert.equal(text(`Content-Type: text/plain; charset=iso-8859-15\r\n${quoted}`, 'gr=FC=DFe =A4'), 'grüße €')
  assert.equal(text(`Content-Type: text/html; charset="UTF-8"\r\n${quoted}`, 'gr=C3=BC=C3=9F=\r\ne'), 'grüße')
  const encoded = Buffer.from('日本語').toString('base64')
  assert.equal(text('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64', encoded), '日本語')
  assert.equal(text('Content-Type: text/plain; charset=iso-2022-jp', '\x1b$BF|K\\\x1b(B'), '日本')
})

test('without a charset that is known UTF-8 is tried before latin1', () => {
  for (const type of ['text/plain', 'text/plain; charset=us-ascii', 'text/plain; charset=no-such']) {
    assert.equal(text(`Content-Type: ${type}`, Buffer.from('grüße')), 'grüße')
    assert.equal(text(`Content-Type: ${type}`, 'gr\xfc\xdfe'), 'grüße')
  }
})

test('parts that are no text have none, and only so much is decoded', () => {
  assert.equal(text('Content-Type: image/png', 'x'), null)
  const message = Buffer.from('Content-Transfer-Encoding: 8bit\r\n\r\n0123456789')
  assert.equal(decodePart(indexMessage(message), message, 4).toString(), '0123')
})
