import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, domainOf, formatAddress, needsSmtpUtf8, parseAddress, sameAddress } from './address.ts'

const address = (text: string): Address => parseAddress(text) ?? assert.fail(text)

const unicode = fc.uint16Array({ maxLength: 20 }).map((units) => String.fromCharCode(...units))

test('takes what RFC 5321 and 6531 call a mailbox', () => {
  assert.deepEqual(address('Ada.Lovelace+x@Example.ORG'), { local: 'Ada.Lovelace+x', domain: 'example.org' })
  assert.deepEqual(address('"a b\\"c\\\\d"@example.org'), { local: 'a b"c\\d', domain: 'example.org' })
  assert.deepEqual(address('"plain"@example.org'), { local: 'plain', domain: 'example.org' })
  assert.deepEqual(address('""@example.org'), { local: '', domain: 'example.org' })
  assert.deepEqual(address('δοκιμή@παράδειγμα.gr'), { local: 'δοκιμή', domain: 'παράδειγμα.gr' })
  assert.deepEqual(address('a@[127.0.0.1]'), { local: 'a', domain: '[127.0.0.1]' })
  assert.deepEqual(address('a@[ipv6:2001:DB8::1]'), { local: 'a', domain: '[IPv6:2001:db8::1]' })
  assert.deepEqual(address('a@[IPv6:::ffff:192.0.2.1]'), { local: 'a', domain: '[IPv6:::ffff:192.0.2.1]' })
  assert.deepEqual(address('postmaster@localhost').domain, 'localhost')
  assert.ok(parseAddress(`${'bounce-'.repeat(15)}x=example.com@example.org`), 'long bounce addresses are usual')
})

test('refuses what is not an address', () => {
  const refused = [
    ...['', '@', 'a', 'a@', '@b', 'a@@b', 'a b@c', '.a@b', 'a.@b', 'a..b@c', '"a@b', '"a"b@c', '"a\\"@b', '<a@b>'],
    ...['a@b..c', 'a@-b', 'a@b-', 'a@.b', 'a@b.', 'a@b c', 'a@[1.2.3]', 'a@[1.2.3.256]', 'a@[IPv6:1::2::3]', 'a@[x]'],
    ...['a@[IPv6:1:2:3:4:5:6:7]', 'a@[1.2.3.4', 'a@b\r\nRCPT TO:<c@d>', 'a\0@b', '"a\n"@b', 'a@b\u3002c', 'a@b\u2028'],
    ...[
      `a@${'b'.repeat(64)}.example`,
      `${'a'.repeat(250)}@b.example`,
      `a@${'b.'.repeat(130)}example`,
      'a\ud800@b.example',
    ],
  ]
  for (const text of refused) assert.equal(parseAddress(text), null, JSON.stringify(text))
})

test('compares without case and without the spelling of the domain', () => {
  assert.ok(sameAddress(address('Ada@EXAMPLE.org'), address('ada@example.org')))
  assert.ok(sameAddress(address('a@bücher.example'), address('a@xn--bcher-kva.example')))
  assert.ok(!sameAddress(address('a@example.org'), address('b@example.org')))
  assert.equal(domainOf(address('a@BÜCHER.example')), 'xn--bcher-kva.example')
  assert.ok(needsSmtpUtf8(address('ä@b.example')) && !needsSmtpUtf8(address('a@bücher.example')))
})

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/).filter((text) => !text.startsWith('xn--'))
const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const local = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.stringMatching(/^[ -~]{0,40}$/),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
)

test('what is written is read again as the same address', () => {
  fc.assert(
    fc.property(local, domain, (name, host) => {
      const written = formatAddress({ local: name, domain: host })
      const read = parseAddress(written)
      fc.pre(read !== null)
      assert.deepEqual(read, { local: name, domain: host })
    }),
  )
  fc.assert(
    fc.property(fc.stringMatching(/^[ -~]{0,40}$/), domain, (name, host) => {
      assert.deepEqual(parseAddress(formatAddress({ local: name, domain: host })), { local: name, domain: host })
    }),
  )
})

test('any text is either refused or stays the same address', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), unicode, fc.stringMatching(/^["\\a@.[\]:1]{0,20}$/)), (text) => {
      const read = parseAddress(text)
      if (read) assert.deepEqual(parseAddress(formatAddress(read)), read)
    }),
  )
})
