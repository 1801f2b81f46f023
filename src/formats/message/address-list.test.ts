import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddressList, LISTED_LIMIT, type ListedAddress, parseAddressList } from './address-list.ts'

const listed = (text: string) => parseAddressList(text).map(({ name, mailbox, host }) => [name, mailbox, host])

test('reads the examples of RFC 5322 appendix A', () => {
  assert.deepEqual(listed('"Joe Q. Public" <john.q.public@example.com>'), [
    ['Joe Q. Public', 'john.q.public', 'example.com'],
  ])
  assert.deepEqual(listed('Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>'), [
    ['Mary Smith', 'mary', 'x.test'],
    [null, 'jdoe', 'example.org'],
    ['Who?', 'one', 'y.test'],
  ])
  assert.deepEqual(listed('<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>'), [
    [null, 'boss', 'nil.test'],
    ['Giant; "Big" Box', 'sysservices', 'example.net'],
  ])
  assert.deepEqual(listed('A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;'), [
    [null, 'A Group', null],
    ['Ed Jones', 'c', 'a.test'],
    [null, 'joe', 'where.test'],
    ['John', 'jdoe', 'one.test'],
    [null, null, null],
  ])
  assert.deepEqual(listed('Undisclosed recipients:;'), [
    [null, 'Undisclosed recipients', null],
    [null, null, null],
  ])
  assert.deepEqual(listed('Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>'), [
    ['Pete', 'pete', 'silly.test'],
  ])
  assert.deepEqual(listed('Mary Smith <@node.test:mary@example.net>, , jdoe@test   . example'), [
    ['Mary Smith', 'mary', 'example.net'],
    [null, 'jdoe', 'test.example'],
  ])
})

test('reads broken lists as well as possible', () => {
  assert.deepEqual(listed('fred@x.test (Fred (the) Foo)'), [['Fred (the) Foo', 'fred', 'x.test']])
  assert.deepEqual(listed('root'), [[null, 'root', '']])
  assert.deepEqual(listed('Fred Foo'), [[null, 'Fred Foo', '']])
  assert.deepEqual(listed('Fred Foo fred@x.test'), [['Fred Foo', 'fred', 'x.test']])
  assert.deepEqual(listed('Fred <fred@x.test'), [['Fred', 'fred', 'x.test']])
  assert.deepEqual(listed('fred@x.test <fred@x.test>'), [['fred@x.test', 'fred', 'x.test']])
  assert.deepEqual(listed("'fred@x.test' via List <list@y.test>"), [["'fred@x.test' via List", 'list', 'y.test']])
  assert.deepEqual(listed('"Fred <fred@x.test>'), [[null, 'Fred <fred@x.test>', '']])
  assert.deepEqual(listed('=?utf-8?q?J=C3=BCrgen?= <j@x.test>'), [['=?utf-8?q?J=C3=BCrgen?=', 'j', 'x.test']])
  assert.deepEqual(listed('a@[192.0.2.1], <>, "quoted local"@x.test'), [
    [null, 'a', '[192.0.2.1]'],
    [null, '', ''],
    [null, 'quoted local', 'x.test'],
  ])
  assert.deepEqual(listed('G: a@x.test'), [
    [null, 'G', null],
    [null, 'a', 'x.test'],
    [null, null, null],
  ])
  assert.deepEqual(listed(''), [])
  assert.deepEqual(listed(' , ;'), [])
})

test('a huge list is cut, nested comments cost nothing special', () => {
  assert.equal(parseAddressList('a@b,'.repeat(LISTED_LIMIT * 2)).length, LISTED_LIMIT)
  assert.deepEqual(listed(`a@b ${'('.repeat(100_000)}`)[0]?.slice(1), ['a', 'b'])
})

const visible = fc.stringMatching(/^[ -~é]{1,20}$/)
const mailbox: fc.Arbitrary<ListedAddress> = fc.record(
  {
    name: fc.option(visible),
    mailbox: fc.oneof(fc.stringMatching(/^[a-z]{1,8}(\.[a-z]{1,8})?$/), visible),
    host: fc.stringMatching(/^[a-z]{1,8}(\.[a-z]{1,8}){0,2}$/),
  },
  { noNullPrototype: true },
)
const group = fc
  .tuple(visible, fc.array(mailbox, { maxLength: 3 }))
  .map(([name, members]) => [
    { name: null, mailbox: name, host: null },
    ...members,
    { name: null, mailbox: null, host: null },
  ])

test('a written list is read as the same list', () => {
  const lists = fc
    .array(
      fc.oneof(
        mailbox.map((one) => [one]),
        group,
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.flat())
  fc.assert(fc.property(lists, (list) => assert.deepEqual(parseAddressList(formatAddressList(list)), list)))
})

test('any text gives a list', () => {
  const pieces = fc.array(fc.constantFrom('a', '@', '<', '>', '"', '\\', '(', ')', ',', ';', ':', '[', ']', ' ', '.'))
  fc.assert(
    fc.property(
      pieces.map((parts) => parts.join('')),
      (text) => {
        for (const one of parseAddressList(text))
          assert.ok(one.mailbox !== null || (one.host === null && one.name === null))
      },
    ),
  )
})
