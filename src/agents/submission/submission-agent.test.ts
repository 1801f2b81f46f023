import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '#custody/accounts/directory.ts'
import { NoCertificate, OverQuota } from '#custody/store/mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import { address, envelope, recipient } from '../../../test/support/fake-mail.ts'
import { type MailHouse, openMailHouse } from '../../../test/support/mail-house.ts'

const peer = {
  ip: '192.0.2.7',
  helo: 'laptop',
  protocol: 'ESMTPSA',
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
}

interface Desk {
  readonly house: MailHouse
  readonly anna: Account
  /** A message as header lines, with From, To and a body of its own. */
  readonly submit: (
    lines: readonly string[],
    to?: readonly (string | EnvelopeRecipient)[],
    from?: string | null,
  ) => Promise<string>
}

const spell = ({ code, enhanced }: Reply) => `${code} ${enhanced}`

async function atDesk(
  run: (desk: Desk) => Promise<void>,
  options: Parameters<typeof openMailHouse>[0] = {},
): Promise<void> {
  await using house = await openMailHouse(options)
  const anna = (await house.directory.account('anna'))!
  let number = 0
  await run({
    house,
    anna,
    submit: async (lines, to = ['bob@alpha.test'], from = 'anna@alpha.test') =>
      spell(
        await house.submission.submit({
          queueId: `out${++number}`,
          author: anna,
          peer,
          envelope: envelope(from, to),
          content: Buffer.from([...lines, '', 'body', ''].join('\r\n')),
        }),
      ),
  })
}

const FROM = 'From: Anna <anna@alpha.test>'
const COMPLETE = [FROM, 'To: bob@alpha.test', 'Message-ID: <mine@alpha.test>', 'Date: Mon, 02 Nov 2026 12:00:00 +0000']

test('a header that is not read to its end is refused: what stands there could be a Bcc', () =>
  atDesk(async ({ house, submit }) => {
    const fill = Array.from({ length: 10_000 }, () => 'X: y')
    assert.equal(await submit([FROM, ...fill, 'Bcc: secret@beta.test']), '552 5.3.4')
    assert.equal(await submit([FROM, `X: ${'x'.repeat(10_000_000)}`, 'Bcc: secret@beta.test']), '552 5.3.4')
    assert.deepEqual(house.queue.mails, [])
  }))

test('what the message lacks is added; Bcc and Return-Path do not travel; the author keeps Bcc', () =>
  atDesk(async ({ house, submit }) => {
    assert.equal(
      await submit([FROM, 'Bcc: secret@beta.test', 'Return-Path: <x@beta.test>', 'Subject: hi']),
      '250 2.0.0',
    )
    const [arrived] = await house.kept('bob')
    const [sent] = await house.kept('anna', 'Sent')
    for (const { text } of [arrived!, sent!]) {
      assert.match(text, /^Message-ID: <[a-z0-9]{24}@mx\.alpha\.test>\r$/m)
      assert.match(text, /^Date: Mon, 2 Nov 2026 12:00:00 \+0000\r$/m)
      assert.doesNotMatch(text, /x@beta\.test/)
      assert.match(text, /\r\nSubject: hi\r\n\r\nbody\r\n$/)
    }
    assert.doesNotMatch(arrived!.text, /secret@beta\.test/)
    assert.match(sent!.text, /^Bcc: secret@beta\.test\r$/m)
    assert.equal(/Message-ID: .*/.exec(arrived!.text)?.[0], /Message-ID: .*/.exec(sent!.text)?.[0])
    assert.deepEqual([...sent!.flags].sort(), ['$Submitted', '\\Seen'])
  }))

test('a complete message goes out as it is, with one trace field that does not say where the author sits', () =>
  atDesk(async ({ house, submit }) => {
    await submit(COMPLETE)
    const text = (await house.kept('bob'))[0]!.text
    assert.equal(text.endsWith(`\r\n${COMPLETE.join('\r\n')}\r\n\r\nbody\r\n`), true)
    assert.match(text, /^Received: .*\r\n\tby mx\.alpha\.test .*with ESMTPSA id out1\r$/m)
    assert.doesNotMatch(text, /192\.0\.2\.7|laptop/)
    assert.equal((await house.kept('anna', 'Sent'))[0]!.text, [...COMPLETE, '', 'body', ''].join('\r\n'))
  }))

test('an author does not speak for the server: results with its name do not travel, those of others do', () =>
  atDesk(async ({ house, submit }) => {
    const others = 'Authentication-Results: mx.beta.test; dkim=pass'
    const forged = [
      'Authentication-Results: mx.alpha.test; openpgp=pass',
      'Authentication-Results: "MX.alpha.test." 1; x',
    ]
    assert.equal(await submit([...forged, others, ...COMPLETE]), '250 2.0.0')
    const [{ text } = { text: '' }] = await house.kept('bob')
    assert.deepEqual(text.match(/^authentication-results.*/gim), [others])
  }))

test('the author writes as nobody else', () =>
  atDesk(async ({ house, submit }) => {
    await house.directory.addAlias(address('sales@alpha.test'), [address('anna@alpha.test')])
    const own = [
      'From: anna@alpha.test',
      'From: "anna, or not" <ANNA@Alpha.Test> (comment)',
      'From: anna+shop@alpha.test',
      'From: sales@alpha.test',
      'From: =?utf-8?q?bob=40alpha.test?= <anna@alpha.test>',
      'From: anna@alpha.test <anna@alpha.test>',
      'From: "bob@alpha.test" <anna@alpha.test>',
      'From: anna@alpha.test, sales@alpha.test\r\nSender: anna@alpha.test',
      'From:\r\n anna@alpha.test',
      'From : anna@alpha.test',
    ]
    const foreign = [
      'From: bob@alpha.test',
      'From: anna@beta.test',
      'From: anna@alpha.test, bob@alpha.test\r\nSender: anna@alpha.test',
      'From: anna@alpha.test, sales@alpha.test',
      'From: anna@alpha.test\r\nFrom: bob@alpha.test',
      'From: anna@alpha.test\r\nfrom : bob@alpha.test',
      'From: anna@alpha.test\r\nSender: bob@alpha.test',
      'From: anna@alpha.test\r\nSender: anna@alpha.test\r\nSender: anna@alpha.test',
      'From: bob@alpha.test <anna@alpha.test>',
      'From: <bob@alpha.test> <anna@alpha.test>',
      'From: <bob@alpha.test><anna@alpha.test>',
      'From: <anna@alpha.test> <bob@alpha.test>',
      'From: friends: anna@alpha.test;',
      'From: anna@alpha.test;bob@alpha.test',
      'From: anna',
      'From:',
      'From: <>',
      'From: <@beta.test:anna@alpha.test>, <bob@alpha.test>',
      'From: (anna@alpha.test) bob@alpha.test',
      'From: "anna@alpha.test" bob@alpha.test',
      'From: anna@alpha.test\\@bob.test',
      'Subject: no From at all',
    ]
    for (const field of own) assert.equal(await submit([field]), '250 2.0.0', field)
    for (const field of foreign) assert.equal(await submit([field]), '550 5.7.1', field)
    assert.equal((await house.kept('bob')).length, own.length)
  }))

test('the envelope is the author’s too; receipts go out with the null reverse-path', () =>
  atDesk(async ({ house, anna, submit }) => {
    assert.equal(await submit([FROM], undefined, 'bob@alpha.test'), '550 5.7.1')
    assert.equal(await submit([FROM], undefined, null), '250 2.0.0')
    const check = async (text: string) => (await house.submission.checkSender(anna, address(text)))?.code ?? null
    assert.equal(await check('anna+list@alpha.test'), null)
    assert.equal(await check('bob@alpha.test'), 550)
    assert.equal(await check('anna@beta.test'), 550)
    await house.directory.setState('anna', 'suspended')
    const suspended = (await house.directory.account('anna'))!
    assert.equal((await house.submission.checkSender(suspended, null))?.code, 550)
  }))

test('what could be read in two ways is refused', () =>
  atDesk(async ({ submit }) => {
    for (const line of [
      'this is no field',
      'X: a\rFrom: bob@alpha.test',
      'X: a\nFrom: bob@alpha.test',
      'X: \0',
      ' folded first',
    ]) {
      assert.equal(await submit(line.startsWith(' ') ? [line, FROM] : [FROM, line]), '550 5.6.0', JSON.stringify(line))
    }
  }))

test('recipients elsewhere, and several, go through one write of the queue', () =>
  atDesk(async ({ house, submit }) => {
    assert.equal(await submit(COMPLETE, ['x@beta.test']), '250 2.0.0')
    assert.equal(await submit(COMPLETE, ['bob@alpha.test', 'x@beta.test']), '250 2.0.0')
    assert.deepEqual(
      house.queue.mails.map((mail) => mail.envelope.recipients.map((one) => formatAddress(one.address))),
      [['x@beta.test'], ['bob@alpha.test', 'x@beta.test']],
    )
    assert.equal((await house.kept('anna', 'Sent')).length, 2)
    assert.match(Buffer.from(house.queue.mails[0]!.content).toString(), /^Received: /)
  }))

test('all or nothing: what fails takes the copy in Sent back', () =>
  atDesk(async ({ house, submit }) => {
    house.queue.trouble = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    assert.equal(await submit(COMPLETE, ['x@beta.test']), '452 4.3.1')
    await house.directory.setState('bob', 'suspended')
    assert.equal(await submit(COMPLETE, ['bob@alpha.test']), '550 5.2.1')
    assert.equal((await house.kept('anna', 'Sent')).length, 0)
    house.queue.trouble = null
    house.broken.set('anna', new OverQuota('full'))
    assert.equal(await submit(COMPLETE, ['x@beta.test']), '452 4.2.2')
    house.broken.set('anna', new Error('broken'))
    assert.equal(await submit(COMPLETE, ['x@beta.test']), '451 4.3.0')
    assert.equal(house.queue.mails.length, 0)
  }))

test('a recipient of ours who cannot have it now gets it from the queue', () =>
  atDesk(async ({ house, submit }) => {
    house.broken.set('bob', new OverQuota('full'))
    assert.equal(await submit(COMPLETE), '250 2.0.0')
    assert.equal(house.queue.mails.length, 1)
    assert.equal((await house.kept('anna', 'Sent')).length, 1)
  }))

test('an author without keys sends, and has no copy; a line says so', () =>
  atDesk(async ({ house, submit }) => {
    house.broken.set('anna', new NoCertificate('no key'))
    assert.equal(await submit(COMPLETE, ['x@beta.test']), '250 2.0.0')
    assert.equal((await house.kept('anna', 'Sent')).length, 0)
    assert.equal(house.log.said('no copy in Sent: the account has no key yet').length, 1)
  }))

test('no copy is kept where that is switched off', () =>
  atDesk(
    async ({ house, submit }) => {
      assert.equal(await submit(COMPLETE), '250 2.0.0')
      assert.equal((await house.kept('anna', 'Sent')).length, 0)
    },
    { savesSentCopy: false },
  ))

test('recipients per hour are limited, and come back with time', () =>
  atDesk(
    async ({ house, anna, submit }) => {
      assert.equal(await submit(COMPLETE, ['a@beta.test', 'b@beta.test', 'c@beta.test']), '250 2.0.0')
      assert.equal(await submit(COMPLETE, ['a@beta.test', 'b@beta.test']), '450 4.7.1')
      assert.equal(await submit(COMPLETE, ['a@beta.test']), '250 2.0.0')
      const check = async () => (await house.submission.checkRecipient(anna, address('a@beta.test')))?.enhanced ?? null
      assert.equal(await check(), '4.7.1')
      await house.clock.advance(900_000)
      assert.equal(await check(), null)
      assert.equal(await submit(COMPLETE, ['a@beta.test']), '250 2.0.0')
      assert.equal(await check(), '4.7.1')
    },
    { recipientsPerHour: 4 },
  ))

test('recipients of ours are checked at once, those elsewhere by the relay', () =>
  atDesk(async ({ house, anna }) => {
    const check = async (to: string) => (await house.submission.checkRecipient(anna, address(to)))?.enhanced ?? null
    assert.equal(await check('bob@alpha.test'), null)
    assert.equal(await check('nobody@alpha.test'), '5.1.1')
    assert.equal(await check('nobody@beta.test'), null)
  }))

test('success is told to an author who asked', () =>
  atDesk(async ({ house, submit }) => {
    const bob = recipient('bob@alpha.test', { notify: ['success'] })
    await submit(COMPLETE, [bob])
    assert.deepEqual(house.queue.reported, [{ queueId: 'out1', delivered: [bob] }])
  }))
