import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NoCertificate, OverQuota } from '#custody/store/mail-store.ts'
import { formatAddress } from '#formats/message/address.ts'
import { address, envelope, LETTER, queuedMail, recipient } from '../../../test/support/fake-mail.ts'
import { type MailHouse, openMailHouse } from '../../../test/support/mail-house.ts'
import type { Outcome, QueuedMail } from '../queue/queue.ts'

const NEVER = new AbortController().signal

async function inHouse(run: (house: MailHouse) => Promise<void>): Promise<void> {
  await using house = await openMailHouse()
  await run(house)
}

const deliver = (house: MailHouse, to: readonly string[], rest: Partial<QueuedMail> = {}) => {
  const mail = queuedMail(envelope('eve@beta.test', to), rest)
  return house.delivery.deliver(mail, mail.envelope.recipients, NEVER)
}

const spell = (outcomes: readonly Outcome[]) =>
  outcomes.map((one) => (one.kind === 'delivered' ? one.kind : `${one.kind} ${one.why.code} ${one.why.enhanced}`))

const check = async (house: MailHouse, to: string, size: number | null = null) => {
  const refusal = await house.delivery.check(address(to), size)
  return refusal && `${refusal.code} ${refusal.enhanced}`
}

test('the stored message is Return-Path and then exactly what came', () =>
  inHouse(async (house) => {
    assert.deepEqual(spell(await deliver(house, ['anna@alpha.test'])), ['delivered'])
    assert.deepEqual(await house.kept('anna'), [{ text: `Return-Path: <eve@beta.test>\r\n${LETTER}`, flags: [] }])
    const bounce = queuedMail(envelope(null, ['bob@alpha.test']))
    await house.delivery.deliver(bounce, bounce.envelope.recipients, NEVER)
    assert.match((await house.kept('bob'))[0]!.text, /^Return-Path: <>\r\n/)
  }))

test('a try that is repeated stores nothing twice', () =>
  inHouse(async (house) => {
    await deliver(house, ['anna@alpha.test'])
    await deliver(house, ['anna@alpha.test'])
    assert.equal((await house.kept('anna')).length, 1)
    await deliver(house, ['anna@alpha.test'], { queueId: 'q2' })
    assert.equal((await house.kept('anna')).length, 2)
  }))

test('recipients that mean the same mailbox get one message', () =>
  inHouse(async (house) => {
    await house.directory.addAlias(address('team@alpha.test'), [address('anna@alpha.test'), address('bob@alpha.test')])
    const to = ['anna@alpha.test', 'ANNA@alpha.test', 'team@alpha.test', 'anna+nothing@alpha.test']
    assert.deepEqual(
      spell(await deliver(house, to)),
      to.map(() => 'delivered'),
    )
    assert.equal((await house.kept('anna')).length, 1)
    assert.equal((await house.kept('bob')).length, 1)
  }))

test('a plus-address finds an own mailbox of that name, never one with a special use', () =>
  inHouse(async (house) => {
    await using mail = await house.store.open('anna', null)
    await mail.createMailbox('Lists')
    await deliver(house, ['anna+lists@alpha.test'])
    assert.equal((await house.kept('anna', 'Lists')).length, 1)
    assert.equal((await house.kept('anna')).length, 0)
    await deliver(house, ['anna+sent@alpha.test', 'anna+inbox@alpha.test', 'anna+absent@alpha.test'], { queueId: 'q2' })
    assert.equal((await house.kept('anna', 'Sent')).length, 0)
    assert.equal((await house.kept('anna')).length, 1)
  }))

test('aliases in aliases end somewhere; circles end at once', () =>
  inHouse(async (house) => {
    await house.directory.addAlias(address('a@alpha.test'), [address('b@alpha.test'), address('gone@alpha.test')])
    await house.directory.addAlias(address('b@alpha.test'), [address('a@alpha.test'), address('anna@alpha.test')])
    await house.directory.addAlias(address('c@alpha.test'), [address('d@alpha.test')])
    await house.directory.addAlias(address('d@alpha.test'), [address('c@alpha.test')])
    assert.deepEqual(spell(await deliver(house, ['a@alpha.test', 'c@alpha.test'])), ['delivered', 'failed 550 5.4.6'])
    assert.equal((await house.kept('anna')).length, 1)
    for (let at = 0; at < 20; at++)
      await house.directory.addAlias(address(`deep${at}@alpha.test`), [address(`deep${at + 1}@alpha.test`)])
    await house.directory.addAlias(address('deep20@alpha.test'), [address('anna@alpha.test')])
    assert.equal(await check(house, 'deep0@alpha.test'), '550 5.4.6')
    assert.equal(await check(house, 'deep15@alpha.test'), null)
  }))

test('an alias to another provider goes through the queue, marked, and a marked one that returns is a loop', () =>
  inHouse(async (house) => {
    await house.directory.addAlias(address('away@alpha.test'), [address('anna@gamma.test'), address('bob@alpha.test')])
    const wishes = recipient('away@alpha.test', { notify: ['success'] })
    const mail = queuedMail(envelope('eve@beta.test', [wishes], { envid: 'x' }))
    const [outcome] = await house.delivery.deliver(mail, [wishes], NEVER)
    assert.deepEqual(outcome, { kind: 'delivered', by: null, remote: null, dsnRelayed: true })
    const [forwarded] = house.queue.mails
    assert.equal(formatAddress(forwarded!.envelope.reversePath!), 'eve@beta.test')
    assert.equal(forwarded!.envelope.envid, 'x')
    assert.deepEqual(forwarded!.envelope.recipients, [
      recipient('anna@gamma.test', { notify: ['success'], orcpt: 'rfc822;away@alpha.test' }),
    ])
    assert.equal(Buffer.from(forwarded!.content).toString(), `Delivered-To: away@alpha.test\r\n${LETTER}`)
    assert.notEqual(forwarded!.queueId, mail.queueId)
    assert.equal((await house.kept('bob')).length, 1)
    const [again] = await deliver(house, ['away@alpha.test'], { content: forwarded!.content, queueId: 'q9' })
    assert.deepEqual(spell([again!]), ['failed 554 5.4.6'])
  }))

test('what one target of an alias lacks goes to the queue; when all lack it, the alias does', () =>
  inHouse(async (house) => {
    await house.directory.addAlias(address('team@alpha.test'), [address('anna@alpha.test'), address('bob@alpha.test')])
    house.broken.set('bob', new OverQuota('full'))
    assert.deepEqual(spell(await deliver(house, ['team@alpha.test'])), ['delivered'])
    assert.deepEqual(
      house.queue.mails[0]?.envelope.recipients.map((one) => formatAddress(one.address)),
      ['bob@alpha.test'],
    )
    house.broken.set('anna', new OverQuota('full'))
    assert.deepEqual(spell(await deliver(house, ['team@alpha.test'], { queueId: 'q2' })), ['deferred 452 4.2.2'])
    assert.equal(house.queue.mails.length, 1)
    house.broken.clear()
    house.broken.set('bob', new OverQuota('full'))
    house.queue.trouble = Object.assign(new Error('disk'), { code: 'ENOSPC' })
    assert.deepEqual(spell(await deliver(house, ['team@alpha.test'], { queueId: 'q3' })), ['deferred 452 4.3.1'])
  }))

test('trouble of ours is a deferral, whatever it is', () =>
  inHouse(async (house) => {
    const cases: [Error, string][] = [
      [new OverQuota('full'), 'deferred 452 4.2.2'],
      [Object.assign(new Error('no space'), { code: 'ENOSPC' }), 'deferred 452 4.3.1'],
      [new Error('anything'), 'deferred 451 4.3.0'],
    ]
    for (const [error, expected] of cases) {
      house.broken.set('anna', error)
      assert.deepEqual(spell(await deliver(house, ['anna@alpha.test', 'bob@alpha.test'])), [expected, 'delivered'])
    }
  }))

test('recipients are judged before the message comes', () =>
  inHouse(async (house) => {
    await house.addAccount('carol', 1000)
    await house.directory.addAlias(address('team@alpha.test'), [address('bob@alpha.test'), address('carol@alpha.test')])
    assert.equal(await check(house, 'anna@alpha.test', 1e9), null)
    assert.equal(await check(house, 'nobody@alpha.test'), '550 5.1.1')
    assert.equal(await check(house, 'anna@beta.test'), '550 5.7.1')
    assert.equal(await check(house, 'carol@alpha.test', 999), null)
    assert.equal(await check(house, 'carol@alpha.test', 1001), '552 5.2.3')
    assert.equal(await check(house, 'team@alpha.test', 1001), null)
    await house.directory.setState('bob', 'suspended')
    assert.equal(await check(house, 'bob@alpha.test'), '550 5.2.1')
    assert.equal(await check(house, 'team@alpha.test', 1001), '550 5.2.1')
    assert.deepEqual(spell(await deliver(house, ['bob@alpha.test'])), ['failed 550 5.2.1'])
  }))

test('a full mailbox is seen at RCPT', () =>
  inHouse(async (house) => {
    await house.addAccount('carol', 10_000)
    const [taken] = await deliver(house, ['carol@alpha.test'], {
      content: Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(7000)}\r\n`),
    })
    assert.equal(taken?.kind, 'delivered')
    assert.equal(await check(house, 'carol@alpha.test', 5000), '452 4.2.2')
  }))

test('postmaster is always there, also without a domain', () =>
  inHouse(async (house) => {
    await house.directory.setState('anna', 'suspended')
    assert.equal(await check(house, 'Postmaster@alpha.test'), null)
    const bare = { local: 'postmaster', domain: '' }
    assert.equal(await house.delivery.check(bare, null), null)
    const mail = queuedMail(envelope(null, [{ address: bare, notify: null, orcpt: null }]))
    assert.deepEqual(spell(await house.delivery.deliver(mail, mail.envelope.recipients, NEVER)), ['delivered'])
    assert.equal((await house.kept('bob')).length, 1)
  }))

test('mail for an account without keys waits until its owner has set them up', () =>
  inHouse(async (house) => {
    const carol = { local: 'carol', domain: 'alpha.test' }
    await house.directory.addAccount({ id: 'carol', address: carol, state: 'active', created: 0, quota: null }, null)
    await house.store.create('carol')
    assert.equal(await check(house, 'carol@alpha.test'), '450 4.2.1')
    house.broken.set('carol', new NoCertificate('no key'))
    assert.deepEqual(spell(await deliver(house, ['carol@alpha.test'])), ['deferred 450 4.2.1'])
    const use = { use: 'both', custody: 'held' } as const
    await house.directory.addCertificate('carol', { fingerprint: 'C', certificate: Buffer.of(1), since: 0, ...use })
    await house.clock.advance(3000)
    assert.equal(await check(house, 'carol@alpha.test'), null)
  }))

test('authors of sealed mail are told of when it is stored, once a message, and nobody else', () =>
  inHouse(async (house) => {
    const sealed = (type: string, from = 'Eve <eve@beta.test>') =>
      Buffer.from(
        `From: ${from}\r\nContent-Type: ${type}; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n`,
      )
    const ENCRYPTED = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    const tell = async (content: Buffer, to = ['anna@alpha.test'], queueId = `q${++last}`) => {
      house.sealedMailFrom.length = 0
      await deliver(house, to, { content, queueId })
      return [...house.sealedMailFrom]
    }
    let last = 0
    assert.deepEqual(await tell(sealed(ENCRYPTED), ['anna@alpha.test', 'bob@alpha.test']), ['eve@beta.test'])
    assert.deepEqual(await tell(sealed('multipart/signed; protocol="application/PGP-signature"')), ['eve@beta.test'])
    assert.deepEqual(await tell(sealed(ENCRYPTED, 'bob <"b b"@beta.test>')), ['"b b"@beta.test'])
    for (const [type, from] of [
      ['multipart/encrypted'],
      ['multipart/mixed; protocol="application/pgp-encrypted"'],
      ['multipart/signed; protocol="application/pkcs7-signature"'],
      [ENCRYPTED, 'eve@beta.test, mallory@beta.test'],
      [ENCRYPTED, 'nobody:;'],
      [ENCRYPTED, 'eve@[bad'],
    ] as const)
      assert.deepEqual(await tell(sealed(type, from)), [], `${type} ${from}`)
    assert.deepEqual(await tell(Buffer.from(LETTER)), [])
    house.broken.set('anna', new OverQuota('full'))
    assert.deepEqual(await tell(sealed(ENCRYPTED)), [])
  }))
