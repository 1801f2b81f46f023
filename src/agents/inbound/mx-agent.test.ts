import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OverQuota } from '#custody/store/mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import { address, envelope, LETTER, recipient } from '../../../test/support/fake-mail.ts'
import { type MailHouse, openMailHouse } from '../../../test/support/mail-house.ts'
import type { ReceivedMail } from './inbound.ts'

const peer = {
  ip: '192.0.2.7',
  helo: 'mx.beta.test',
  protocol: 'ESMTPS',
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
}

async function inHouse(run: (house: MailHouse) => Promise<void>): Promise<void> {
  await using house = await openMailHouse()
  await run(house)
}

function received(
  mode: 'smtp' | 'lmtp',
  to: readonly (string | EnvelopeRecipient)[],
  rest: Partial<ReceivedMail> = {},
): ReceivedMail {
  return { queueId: 'in1', peer, envelope: envelope('eve@beta.test', to), content: Buffer.from(LETTER), mode, ...rest }
}

const spell = (replies: readonly Reply[]) => replies.map(({ code, enhanced }) => `${code} ${enhanced}`)

test('one trace field is added in front, and the rest stays as it came', () =>
  inHouse(async (house) => {
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test']))), ['250 2.0.0'])
    const [{ text } = { text: '' }] = await house.kept('anna')
    assert.match(
      text,
      /^Return-Path: <eve@beta\.test>\r\nReceived: from mx\.beta\.test \(\[192\.0\.2\.7\]\)\r\n\tby mx\.alpha\.test /,
    )
    assert.match(text, /with ESMTPS id in1\r\n/)
    assert.match(text, /for <anna@alpha\.test>\r\n\ttls TLS_/)
    assert.equal(text.endsWith(LETTER), true)
    assert.equal(text.split('\r\nReceived:').length, 2)
  }))

test('several recipients do not learn of each other', () =>
  inHouse(async (house) => {
    await house.inbound.receive(received('smtp', ['anna@alpha.test', 'bob@alpha.test']))
    for (const name of ['anna', 'bob'])
      assert.doesNotMatch((await house.kept(name))[0]!.text.split('From:')[0]!, /@alpha/)
  }))

test('once one recipient has the mail, what the others lack is the queue’s', () =>
  inHouse(async (house) => {
    house.broken.set('bob', new OverQuota('full'))
    const to = ['anna@alpha.test', 'bob@alpha.test', 'nobody@alpha.test']
    assert.deepEqual(
      spell(await house.inbound.receive(received('smtp', to))),
      to.map(() => '250 2.0.0'),
    )
    const [queued] = house.queue.mails
    assert.deepEqual(
      queued?.envelope.recipients.map((one) => formatAddress(one.address)),
      to.slice(1),
    )
    assert.equal(queued?.queueId, 'in1')
    assert.match(Buffer.from(queued!.content).toString(), /^Received:/)
  }))

test('while nobody has it, the sender keeps it', () =>
  inHouse(async (house) => {
    house.broken.set('bob', Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['bob@alpha.test', 'nobody@alpha.test']))), [
      '452 4.3.1',
      '452 4.3.1',
    ])
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['nobody@alpha.test']))), ['550 5.1.1'])
    assert.equal(house.queue.mails.length, 0)
  }))

test('a queue that cannot take the rest makes the answer negative', () =>
  inHouse(async (house) => {
    house.broken.set('bob', new Error('broken'))
    house.queue.trouble = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test', 'bob@alpha.test']))), [
      '452 4.3.1',
      '452 4.3.1',
    ])
    house.queue.trouble = new Error('broken')
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test', 'bob@alpha.test']))), [
      '451 4.3.0',
      '451 4.3.0',
    ])
    assert.equal((await house.kept('anna')).length, 1, 'the same queue id stores once')
  }))

test('over LMTP every recipient has its own answer and nothing is queued', () =>
  inHouse(async (house) => {
    house.broken.set('bob', new OverQuota('full'))
    const to = ['anna@alpha.test', 'bob@alpha.test', 'nobody@alpha.test']
    assert.deepEqual(spell(await house.inbound.receive(received('lmtp', to))), ['250 2.0.0', '452 4.2.2', '550 5.1.1'])
    assert.equal(house.queue.mails.length, 0)
  }))

test('mail with fifty Received fields goes round in circles', () =>
  inHouse(async (house) => {
    const hops = (count: number) => Buffer.from(`${'Received: from a by b; now\r\n'.repeat(count)}${LETTER}`)
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test'], { content: hops(50) }))), [
      '554 5.4.6',
    ])
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test'], { content: hops(49) }))), [
      '250 2.0.0',
    ])
  }))

test('results that claim to be ours are taken out, those of others stay', () =>
  inHouse(async (house) => {
    const forged = [
      'Authentication-Results: mx.alpha.test; openpgp=pass',
      'authentication-results : (so\r\n they say) "MX.Alpha.test" 1;\r\n\tdkim=pass',
      'Authentication-Results: ; dkim=pass',
      'Authentication-Results: mx.beta.test (open; dkim=pass',
      'Letterlock-Protection: sealed; to=anna@alpha.test',
    ]
    const others = 'Authentication-Results: mx.alpha.test.evil.test; dkim=pass'
    for (const mode of ['smtp', 'lmtp'] as const) {
      const content = Buffer.from(`${[...forged, others].join('\r\n')}\r\n${LETTER}`)
      await house.inbound.receive(received(mode, ['anna@alpha.test'], { content, queueId: mode }))
      const text = (await house.kept('anna')).at(-1)!.text
      assert.ok(text.endsWith(`\r\n${others}\r\n${LETTER}`))
      assert.equal(text.match(/authentication-results|letterlock-/gi)?.length, 1)
    }
  }))

test('a header that cannot be looked through is refused', () =>
  inHouse(async (house) => {
    const content = Buffer.from(
      `${'X:\r\n'.repeat(10_000)}Authentication-Results: mx.alpha.test; openpgp=pass\r\n${LETTER}`,
    )
    assert.deepEqual(spell(await house.inbound.receive(received('smtp', ['anna@alpha.test'], { content }))), [
      '552 5.3.4',
    ])
    assert.equal((await house.kept('anna')).length, 0)
  }))

test('success is told to those who asked, once the mail is there', () =>
  inHouse(async (house) => {
    const anna = recipient('anna@alpha.test', { notify: ['success'] })
    const nobody = recipient('nobody@alpha.test', { notify: ['success'] })
    const bob = recipient('bob@alpha.test', { notify: ['failure'] })
    await house.inbound.receive(received('lmtp', [anna, nobody, bob]))
    assert.deepEqual(house.queue.reported, [{ queueId: 'in1', delivered: [anna] }])
    await house.inbound.receive(received('smtp', [anna, nobody, bob]))
    assert.equal(house.queue.reported.length, 2)
  }))

test('only our own recipients are taken', () =>
  inHouse(async (house) => {
    const check = async (to: string, size: number | null = null) =>
      (await house.inbound.checkRecipient(address(to), peer, size))?.code ?? null
    assert.equal(await check('anna@alpha.test'), null)
    assert.equal(await check('nobody@alpha.test'), 550)
    assert.equal(await check('anna@beta.test'), 550)
    assert.equal(await check('anna%beta.test@alpha.test'), 550)
  }))
