import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fold } from './fold.ts'
import { MessageText } from './message-text.ts'
import { summarize } from './summary.ts'

test('case, accents, compatible forms and line ends make no difference', () => {
  assert.equal(fold('Grüße aus der STRASSE'), fold('GRÜSSE aus der Straße'))
  assert.equal(fold('Cre\u0300me BRU\u0302LE\u0301E'), 'creme brulee')
  assert.equal(fold('ΟΔΟΣ'), fold('οδοσ'))
  assert.equal(fold('İstanbul'), 'istanbul')
  assert.equal(fold('Ａｂｃ　ﬁn'), 'abc fin')
  assert.equal(fold('a\r\nb\0'), 'a\nb\ufffd')
})

test('marks that are letters stay, and syllables stay whole', () => {
  assert.equal(fold('が'), 'が')
  assert.notEqual(fold('が'), fold('か'))
  assert.equal(fold('각').includes(fold('가')), false)
  assert.equal(fold('שלום'), 'שלום')
})

test('folded text is well-formed, without NUL and CRLF, and folds to itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (some, other) => {
      for (const text of [some, other]) {
        const folded = fold(text)
        assert.ok(folded.isWellFormed() && !folded.includes('\0') && !folded.includes('\r\n'))
      }
      assert.equal(fold(fold(some)), fold(some))
    }),
  )
})

const letter = Buffer.from(
  [
    'Subject: =?iso-8859-1?Q?Caf=E9?= at noon',
    'X-Empty:',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=koi8-r',
    'Content-Transfer-Encoding: base64',
    '',
    '8NLJ18XU',
    '--b',
    'Content-Type: application/pdf; name="Invoice May.pdf"',
    'Content-Transfer-Encoding: base64',
    '',
    'U2VjcmV0',
    '--b--',
    '',
  ].join('\r\n'),
)

test('fields, texts in any encoding and names of attachments are looked at, what is no text is not', () => {
  const text = new MessageText(summarize(letter), letter)
  const has = (where: 'header' | 'body' | 'text', wanted: string, field: string | null = null) =>
    text.matches({ where, field, text: wanted }, fold(wanted))
  assert.equal(has('header', 'CAFE AT', 'subject'), true)
  assert.equal(has('header', '', 'x-empty'), true)
  assert.equal(has('header', '', 'x-none'), false)
  assert.equal(has('body', 'привет'), true)
  assert.equal(has('body', 'cafe'), false)
  assert.equal(has('body', 'invoice may.PDF'), true)
  assert.equal(has('text', 'subject: café'), true)
  assert.equal(has('text', 'Secret'), false)
  assert.equal(has('body', ''), true)
})

test('names of attachments are found as people see them, however they are written', () => {
  const attached = Buffer.from(
    [
      "Content-Disposition: attachment; filename*=iso-8859-1'de'Stra%DFe.txt",
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      "Content-Disposition: attachment; filename*=utf-8''%D1%81%D1%87%D1%91%D1%82%20May.pdf",
      '',
      '--b',
      'Content-Type: application/pdf; name*0*=utf-8\'\'Gr%C3%BC; name*1*=%C3%9Fe%20aus; name*2=" Rom.pdf"',
      '',
      '--b',
      'Content-Disposition: attachment; filename*0="quarterly har"; filename*1="bour report.odt"',
      '',
      '--b',
      'Content-Disposition: attachment; filename*=no-charset; size*',
      '',
      '--b--',
      '',
    ].join('\r\n'),
  )
  const text = new MessageText(summarize(attached), attached)
  for (const name of ['счёт may.pdf', 'grüsse aus rom.pdf', 'quarterly harbour report', 'no-charset', '%D1%87'])
    assert.equal(text.bodyHas(fold(name)), true, name)
  assert.equal(text.bodyHas('strasse.txt'), false)
  assert.equal(text.has('strasse.txt'), true)
  assert.equal(text.fieldHas('content-disposition', 'strasse.txt'), true)
  assert.equal(new MessageText(summarize(attached), null).fieldHas('content-disposition', 'strasse.txt'), true)
})

test('without the content, only fields are known', () => {
  const text = new MessageText(summarize(letter), null)
  assert.equal(text.fieldHas('subject', 'cafe'), true)
  assert.equal(text.bodyHas('cafe'), undefined)
  assert.equal(text.has('cafe'), undefined)
})
