import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanHeader } from './header.ts'
import { countReceived, formatReceived, formatReturnPath, type ReceivedFacts } from './trace.ts'

const facts: ReceivedFacts = {
  helo: 'mx.alpha.test',
  ip: '192.0.2.1',
  by: 'mail.beta.test',
  protocol: 'ESMTPS',
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
  queueId: 'abc',
  recipients: [{ local: 'ada', domain: 'beta.test' }],
  time: Date.UTC(2026, 10, 3, 12),
}

const unicode = fc.uint16Array({ maxLength: 20 }).map((units) => String.fromCharCode(...units).toWellFormed())

test('writes a Received field', () => {
  assert.equal(
    formatReceived(facts),
    'Received: from mx.alpha.test ([192.0.2.1])\r\n' +
      '\tby mail.beta.test (Letterlock) with ESMTPS id abc\r\n' +
      '\tfor <ada@beta.test>\r\n' +
      '\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n' +
      '\tTue, 3 Nov 2026 12:00:00 +0000\r\n',
  )
})

test('names a recipient only when it is the only one', () => {
  const two = formatReceived({ ...facts, recipients: [...facts.recipients, { local: 'bob', domain: 'beta.test' }] })
  assert.ok(!two.includes('ada') && !two.includes('bob'))
})

test('whatever the client says stays inside the field', () => {
  const hostile = fc.oneof(fc.string(), unicode, fc.constantFrom('a\r\nBcc: x', '(', ')', ';', '\0', ''))
  fc.assert(
    fc.property(hostile, hostile, (helo, version) => {
      const written = Buffer.from(`${formatReceived({ ...facts, helo, tls: { version, cipher: helo } })}\r\n`)
      const header = scanHeader(written)
      assert.equal(header.fields.length, 1)
      assert.equal(header.range.end, written.length)
      const opened = written.toString().split('(').length
      assert.equal(opened, written.toString().split(')').length)
    }),
  )
})

test('writes Return-Path, counts hops', () => {
  assert.equal(formatReturnPath(null), 'Return-Path: <>\r\n')
  assert.equal(formatReturnPath({ local: 'a b', domain: 'c.test' }), 'Return-Path: <"a b"@c.test>\r\n')
  assert.equal(countReceived(scanHeader(Buffer.from('received: a\r\nX: y\r\nRECEIVED: b\r\n\r\nReceived: c\r\n'))), 2)
})
