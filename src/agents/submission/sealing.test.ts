import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WithoutKey } from '#custody/accounts/directory.ts'
import { NotWithThisCredential, SessionEnded, TooLargeToSign, VaultBusy } from '#custody/keyring/keyring.ts'
import { formatAddress } from '#formats/message/address.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { decodeSessionKey } from '#formats/openpgp/session-key.ts'
import { signDetached } from '#formats/openpgp/sign.ts'
import { splitMessage, unsealSigned } from '#formats/openpgp/unseal.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import { originalOf, unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import type { Bytes } from '#lib/bytes.ts'
import { Busy } from '#lib/work-gate.ts'
import type { Discovery } from '#privacy/discovery/discovery.ts'
import { DEMANDS, WITHOUT_KEY } from '#privacy/e2e/e2e.ts'
import { createPlanner, type IsReplyToSealed } from '#privacy/e2e/plan.ts'
import { type MailForPickup, PickupFull } from '#privacy/pickup/pickup.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { fakeDiscoverer, found, NONE, sourceOf, TEMPORARY, UNUSABLE } from '../../../test/support/fake-discoverer.ts'
import { envelope } from '../../../test/support/fake-mail.ts'
import { openMailHouse } from '../../../test/support/mail-house.ts'
import type { QueuedMail } from '../queue/queue.ts'
import { decodeWaiting } from '../queue/waiting.ts'
import type { Sealer } from './sealing.ts'
import type { MailSigner } from './submission.ts'
import type { AuthorDesk } from './submission-agent.ts'

const CREATED = new Date(Date.UTC(2026, 0))
const made = await Promise.all(
  ['anna', 'bob', 'carl', 'dora', 'hidden', 'secret'].map(async (name) => {
    const keys = await generateKeys({ userId: `${name}@test`, algorithm: 'curve25519', created: CREATED })
    return { name, ...keys, ...parseCertificate(keys.certificate), certificate: keys.certificate }
  }),
)
type Person = (typeof made)[number]
const [anna, ...others] = made as [Person, ...Person[]]
const author = openSecretKeys(anna.secret)
const readers = new Map(others.map(({ name, secret }) => [name, openSecretKeys(secret)]))
const known = new Map(others.map((one) => [`${one.name}@beta.test`, found(one.certificate, one.fingerprint)]))

/** Sealing as it looks from outside, for what is tried thousands of times. */
const PRETENDED: Sealer = {
  sealMessage: async () => Buffer.from('sealed'),
  sealForLater: async () => ({ content: Buffer.from('sealed'), sessionKey: Buffer.from('key') }),
}

interface HouseOptions {
  readonly answer?: (name: string) => Discovery | undefined
  readonly withoutKey?: WithoutKey
  readonly seals?: boolean
  readonly sealer?: () => Promise<Sealer>
  /** What counts for the next message. */
  readonly settings?: () => HouseOptions
}

const STANDARD = { answer: (name: string) => known.get(name), withoutKey: 'plain', seals: true } as const

type House = Awaited<ReturnType<typeof openSealingHouse>>

async function openSealingHouse(options: HouseOptions = {}) {
  const settings = () => ({ ...STANDARD, ...options, ...options.settings?.() })
  const { sealer = () => import('#privacy/e2e/seal.ts') } = options
  const clock = createFakeClock()
  const pickups = new Map<string, MailForPickup>()
  const told: string[] = []
  const spelled = (mail: { recipient: Parameters<typeof formatAddress>[0] }) => formatAddress(mail.recipient)
  const desk: AuthorDesk = {
    sentInClear: async ({ queueId, recipients }) => void told.push(`clear ${queueId} ${recipients.map(spelled)}`),
    keptForPickup: async (mail) => void told.push(`pickup ${mail.queueId} ${spelled(mail)}`),
  }
  const house = await openMailHouse({
    author: desk,
    sealer,
    pickup: async () => ({
      async keep(mail) {
        if (pickups.size === 3) throw new PickupFull('full')
        pickups.set(mail.queueId, { ...mail, sessionKey: Buffer.from(mail.sessionKey) })
        return mail.queueId
      },
      drop: async (id) => pickups.delete(id),
    }),
    recipientsPerHour: 100_000,
    plannerOf: (directory, logger) => {
      const planner = () => {
        const { withoutKey, seals, answer } = settings()
        const source = sourceOf(fakeDiscoverer(answer))
        return createPlanner({ directory, source, accepted: null, withoutKey, seals, proves: true, clock, logger })
      }
      return { plan: (letter) => planner().plan(letter) }
    },
  })
  const account = (await house.directory.account('anna'))!
  /** What was signed, and for whom. */
  const signed: (readonly string[])[] = []
  const signer: MailSigner = {
    async sign(content, created, { recipients }) {
      signed.push(recipients)
      return signDetached(author, content, created, { recipients })
    },
  }
  const peer = { ip: '192.0.2.7', helo: 'laptop', protocol: 'ESMTPSA', tls: null }
  let number = 0
  const submit = async (
    lines: readonly string[],
    to: readonly string[],
    by: MailSigner | null = signer,
    isReplyToSealed: IsReplyToSealed = null,
  ) =>
    await house.submission.submit({
      isReplyToSealed,
      queueId: `out${++number}`,
      author: account,
      peer,
      envelope: envelope('anna@alpha.test', to),
      content: Buffer.from(['From: anna@alpha.test', ...lines, '', BODY, ''].join('\r\n')),
      signer: by,
    })
  return {
    ...house,
    signed,
    submit,
    told,
    pickups,
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]()
    },
  }
}

async function inHouse(run: (house: House) => Promise<void>, options: HouseOptions = {}): Promise<void> {
  await using house = await openSealingHouse(options)
  await run(house)
}

const BODY = 'the canary of the body'
const SUBJECT = 'Subject: the canary of the subject'
const LETTER = ['To: bob@beta.test, group: carl@beta.test;', 'Bcc: hidden@beta.test, secret@beta.test', SUBJECT]

const recipientsOf = ({ envelope: { recipients } }: QueuedMail) => recipients.map((one) => formatAddress(one.address))
const textOf = (mail: { content: Bytes }) => Buffer.from(mail.content).toString('latin1')

/** Whose keys open it, and what it says then. */
function opened(mail: { readonly content: Bytes }) {
  const message = unwrapEncrypted(mail.content)!
  const { pkesks } = splitMessage(message)
  const openers: string[] = []
  let text = ''
  for (const [name, keys] of readers) {
    const sessionKey = pkesks.map((pkesk) => sessionKeyOf(keys, pkesk)).find((key) => key !== null)
    if (!sessionKey) continue
    openers.push(`${name}@beta.test`)
    const { content, signatures } = unsealSigned(message, sessionKey)
    const now = Date.UTC(2026, 10, 3)
    const [signature] = verifySignatures(signatures, content, [anna.certificate], now)
    assert.equal(signature?.certificate ?? null, signatures.length === 0 ? null : anna.fingerprint)
    text = originalOf(content).toString()
  }
  return { openers, text, pkesks }
}

test('those whom the message names share one sealed copy, the others have one each, and no copy names a blind one', () =>
  inHouse(async ({ submit, queue, signed, kept }) => {
    const to = ['bob@beta.test', 'hidden@beta.test', 'carl@beta.test', 'secret@beta.test']
    const answer = await submit(LETTER, to)
    assert.deepEqual(answer.lines, ['accepted, queue id out1'])
    assert.deepEqual(queue.mails.map(recipientsOf), [
      ['bob@beta.test', 'carl@beta.test'],
      ['hidden@beta.test'],
      ['secret@beta.test'],
    ])
    assert.equal(queue.mails[0]!.queueId, 'out1')
    assert.equal(new Set(queue.mails.map(({ queueId }) => queueId)).size, 3)
    for (const [index, mail] of queue.mails.entries()) {
      const { openers, text, pkesks } = opened(mail)
      assert.deepEqual(openers, recipientsOf(mail))
      assert.equal(pkesks.length, openers.length)
      assert.deepEqual(
        signed[index],
        others.filter(({ name }) => openers.includes(`${name}@beta.test`)).map(({ fingerprint }) => fingerprint),
      )
      assert.match(text, /the canary of the subject[\s\S]*the canary of the body/)
      const all = `${textOf(mail)}${text}`
      assert.match(textOf(mail), /^Received: /)
      assert.doesNotMatch(textOf(mail), /canary/)
      assert.doesNotMatch(all, /^bcc:/im)
      for (const blind of ['hidden', 'secret'])
        assert.equal(all.includes(blind), index > 0 && openers.includes(`${blind}@beta.test`), `${blind} in ${index}`)
    }
    const [sent] = await kept('anna', 'Sent')
    const fields = sent!.text.split('\r\n').filter((line) => line.startsWith('Letterlock-'))
    assert.equal(fields.length, 4)
    const bob = others[0]!
    assert.match(
      sent!.text.replaceAll('\r\n ', ' '),
      new RegExp(`^Letterlock-Protection: sealed; to=bob@beta.test; key=${bob.fingerprint}; found=secure-srv\r$`, 'm'),
    )
    assert.match(sent!.text, /^Bcc: hidden/m)
    assert.match(sent!.text, /canary of the body/)
  }))

test('everything between author and provider stays there', () =>
  inHouse(async ({ submit, queue, kept }) => {
    const lines = ['Letterlock-Encrypt: Automatic', 'letterlock-protection: sealed; to=nobody', 'To: x@beta.test']
    assert.equal((await submit(lines, ['x@beta.test'])).code, 250)
    assert.doesNotMatch(textOf(queue.mails[0]!), /letterlock-/i)
    const [sent] = await kept('anna', 'Sent')
    assert.deepEqual(sent!.text.match(/^letterlock-.*$/gim), [
      'Letterlock-Protection: plain; to=x@beta.test; why="no certificate is published',
    ])
    assert.equal((await submit(['Letterlock-Encrypt: maybe'], ['bob@alpha.test'])).code, 550)
    assert.equal((await submit(['Letterlock-Encrypt: no'], ['bob@alpha.test'])).code, 250)
    assert.doesNotMatch((await kept('bob'))[0]!.text, /letterlock-/i)
  }))

test('the reply says what left in clear, waits or is kept; the author is told where that is wanted', () =>
  inHouse(
    async ({ submit, queue, told, log, pickups }) => {
      const to = ['bob@beta.test', 'none@beta.test', 'bob@alpha.test', 'later@beta.test']
      const { lines } = await submit(['To: bob@beta.test', SUBJECT], to)
      assert.deepEqual(lines, [
        'accepted, queue id out1; not encrypted for 1 of 4 recipients; waiting for the keys of 1 of 4 recipients',
      ])
      assert.deepEqual(queue.mails.map(recipientsOf), [
        ['none@beta.test', 'bob@alpha.test'],
        ['bob@beta.test'],
        ['later@beta.test'],
      ])
      assert.deepEqual(told, ['clear out1 none@beta.test'])
      const [line] = log.said('submission answered')
      assert.deepEqual(line!['fates'], { sealed: 1, plain: 1, kept: 1, waits: 1 })
      const pickup = await submit(['Letterlock-Encrypt: pickup'], ['none@beta.test'])
      assert.match(pickup.lines[0]!, /; kept for pickup by 1 of 1 recipient$/)
      assert.equal(told[1], 'pickup out2 none@beta.test')
      const [kept] = pickups.values()
      assert.deepEqual([kept!.account, formatAddress(kept!.author)], ['anna', 'anna@alpha.test'])
      const { content } = unsealSigned(unwrapEncrypted(kept!.message)!, decodeSessionKey(kept!.sessionKey))
      assert.match(originalOf(content).toString(), /canary of the body/)
    },
    {
      withoutKey: 'warn',
      answer: (name) => (name === 'later@beta.test' ? TEMPORARY : known.get(name)),
    },
  ))

test('what waits is sealed to nobody, with what opens it and the policy beside it', () =>
  inHouse(
    async ({ submit, queue, signed }) => {
      await submit(
        ['To: bob@beta.test, carl@beta.test', 'Letterlock-Encrypt: required', SUBJECT],
        ['bob@beta.test', 'carl@beta.test'],
      )
      assert.deepEqual(queue.mails.map(recipientsOf), [['bob@beta.test'], ['carl@beta.test']])
      assert.deepEqual(signed, [[]])
      for (const mail of queue.mails) {
        const { openers, pkesks } = opened(mail)
        assert.deepEqual([openers, pkesks], [[], []])
        assert.doesNotMatch(textOf(mail), /canary/)
        const { sessionKey, ...policy } = decodeWaiting(mail.waiting!)
        assert.deepEqual(policy, { withoutKey: 'refuse', isDemanded: true, account: 'anna' })
        const { content } = unsealSigned(unwrapEncrypted(mail.content)!, decodeSessionKey(sessionKey))
        assert.match(originalOf(content).toString(), /canary of the body/)
      }
    },
    { answer: () => TEMPORARY },
  ))

test('one who must not get it in clear stops it for all, and each of them is named', () =>
  inHouse(
    async ({ submit, queue, kept, pickups, told }) => {
      const to = ['bob@beta.test', 'bob@alpha.test', ...'abcdefg'.split('').map((name) => `${name}@gamma.test`)]
      const { code, enhanced, lines } = await submit(LETTER, to)
      assert.deepEqual([code, enhanced], [550, '5.7.1'])
      assert.deepEqual(lines, [
        ...'abcde'.split('').map((name) => `${name}@gamma.test: no certificate is published for this address`),
        'and 2 more',
        'it must be encrypted, so nothing was sent to anybody',
      ])
      assert.deepEqual([queue.mails, await kept('anna', 'Sent'), await kept('bob'), told], [[], [], [], []])
      assert.equal(pickups.size, 0)
    },
    { withoutKey: 'refuse' },
  ))

const ANSWER = ['In-Reply-To: <came@x>', 'References: <first@x> <came@x>', SUBJECT]

/** An author to whom these came encrypted. */
function sealedOnes(...ids: readonly string[]) {
  const asked: (readonly string[])[] = []
  const isReplyToSealed = async (named: readonly string[]) => {
    asked.push(named)
    return named.some((id) => ids.includes(id))
  }
  return { asked, isReplyToSealed }
}

test('what answers or forwards mail that came encrypted is encrypted or stopped', () =>
  inHouse(async ({ submit, queue, kept, told }) => {
    const { asked, isReplyToSealed } = sealedOnes('came@x')
    const to = ['bob@beta.test', 'none@gamma.test']
    const forward = ['X-Forwarded-Message-Id: <came@x>', SUBJECT]
    for (const lines of [ANSWER, forward, [...ANSWER, 'Letterlock-Encrypt: automatic']]) {
      const stopped = await submit(lines, to, undefined, isReplyToSealed)
      assert.deepEqual([stopped.code, stopped.enhanced], [550, '5.7.1'])
      assert.deepEqual(stopped.lines, [
        'none@gamma.test: no certificate is published for this address',
        'it answers a message that came encrypted, so nothing was sent to anybody',
        'to send it in clear all the same, give it the header field Letterlock-Encrypt: no',
      ])
    }
    assert.deepEqual(asked, [['first@x', 'came@x'], ['came@x'], ['first@x', 'came@x']])
    assert.deepEqual([queue.mails, await kept('anna', 'Sent'), told], [[], [], []])
    assert.equal((await submit([...ANSWER, 'Letterlock-Encrypt: no'], to, undefined, isReplyToSealed)).code, 250)
    assert.match(textOf(queue.mails[0]!), /canary of the body/)
    assert.equal(asked.length, 3)
  }))

test('an answer is looked into only where it would leave in clear, by a session that can', () =>
  inHouse(async ({ submit, queue }) => {
    const { asked, isReplyToSealed } = sealedOnes('came@x')
    for (const [lines, to] of [
      [ANSWER, ['bob@beta.test', 'bob@alpha.test']],
      [ANSWER, ['bob@alpha.test']],
      [[SUBJECT], ['none@gamma.test']],
    ] as const)
      assert.equal((await submit(lines, to, undefined, isReplyToSealed)).code, 250)
    assert.equal(asked.length, 0)
    const elsewhere = sealedOnes('other@x')
    assert.equal((await submit(ANSWER, ['none@gamma.test'], undefined, elsewhere.isReplyToSealed)).code, 250)
    assert.equal(elsewhere.asked.length, 1)
    assert.equal((await submit(ANSWER, ['none@gamma.test'])).code, 250)
    queue.mails.length = 0
    const broken = async () => Promise.reject(new Error('the store is gone'))
    const { code, enhanced } = await submit(ANSWER, ['none@gamma.test'], undefined, broken)
    assert.deepEqual([code, enhanced, queue.mails.length], [451, '4.3.0', 0])
    const long = ['References:', ...Array.from({ length: 99 }, (_, index) => ` <${index}@x>`)]
    await submit(long, ['none@gamma.test'], undefined, isReplyToSealed)
    assert.deepEqual([asked[0]!.length, asked[0]!.at(-1)], [50, '98@x'])
  }))

test('an answer that waits does not leave in clear later, a weaker certificate is good enough, and what is signed is sealed', () =>
  inHouse(
    async ({ submit, queue }) => {
      const { isReplyToSealed } = sealedOnes('came@x')
      const send = async (lines: readonly string[], to: string) => {
        queue.mails.length = 0
        assert.equal((await submit(lines, [to], undefined, isReplyToSealed)).code, 250)
        assert.doesNotMatch(textOf(queue.mails[0]!), /canary/)
        return queue.mails[0]!
      }
      const waiting = decodeWaiting((await send(ANSWER, 'later@beta.test')).waiting!)
      assert.equal(waiting.withoutKey, 'refuse')
      assert.deepEqual(opened(await send(ANSWER, 'weak@beta.test')).openers, ['bob@beta.test'])
      const signed = 'Content-Type: multipart/signed; boundary=x; protocol="application/pgp-signature"'
      assert.deepEqual(opened(await send([...ANSWER, signed], 'bob@beta.test')).openers, ['bob@beta.test'])
    },
    {
      answer: (name) => {
        const bob = others[0]!
        if (name === 'weak@beta.test') return found(bob.certificate, bob.fingerprint, 'wkd')
        return name === 'later@beta.test' ? TEMPORARY : known.get(name)
      },
    },
  ))

test('a provider that does not seal stops such answers too', () =>
  inHouse(
    async ({ submit, queue }) => {
      const { isReplyToSealed } = sealedOnes('came@x')
      const { code, lines } = await submit(ANSWER, ['bob@beta.test'], undefined, isReplyToSealed)
      assert.equal(code, 550)
      assert.match(lines[0]!, /this provider does not seal outgoing mail/)
      assert.equal(queue.mails.length, 0)
    },
    { seals: false },
  ))

test('all or nothing: what the queue does not take leaves neither a copy in Sent nor one for pickup', () =>
  inHouse(
    async ({ submit, queue, kept, pickups, told }) => {
      queue.trouble = new Error('disk gone')
      const { code } = await submit(LETTER, ['bob@beta.test', 'none@beta.test', 'hidden@beta.test'])
      assert.deepEqual([code, queue.mails.length, pickups.size, (await kept('anna', 'Sent')).length], [451, 0, 0, 0])
      queue.trouble = null
      const full = await submit(LETTER, ['bob@beta.test', ...'abcd'.split('').map((name) => `${name}@beta.test`)])
      assert.deepEqual([full.code, full.enhanced], [452, '4.2.2'])
      assert.deepEqual([queue.mails.length, pickups.size, (await kept('anna', 'Sent')).length, told], [0, 0, 0, []])
    },
    { withoutKey: 'pickup' },
  ))

test('who may not sign sends sealed mail without signature; who cannot any more sends nothing', () =>
  inHouse(async ({ submit, queue, kept, log }) => {
    const refusing = (error: Error): MailSigner => ({ sign: () => Promise.reject(error) })
    const to = ['bob@beta.test', 'hidden@beta.test']
    for (const signer of [null, refusing(new NotWithThisCredential())]) {
      assert.equal((await submit(LETTER, to, signer)).code, 250)
      const mails = queue.mails.splice(0)
      for (const mail of mails) {
        assert.deepEqual(opened(mail).openers, recipientsOf(mail))
        assert.doesNotMatch(textOf(mail), /canary/)
      }
    }
    for (const { text } of await kept('anna', 'Sent'))
      assert.equal(text.replaceAll('\r\n ', ' ').match(/found=secure-srv; unsigned\r\n/g)?.length, 2)
    for (const [error, code, enhanced] of [
      [new SessionEnded('it ended'), 451, '4.7.0'],
      [new VaultBusy('busy'), 451, '4.3.2'],
      [new Busy('busy'), 451, '4.3.2'],
      [new TooLargeToSign(), 552, '5.3.4'],
    ] as const) {
      const answer = await submit(LETTER, to, refusing(error))
      assert.deepEqual([answer.code, answer.enhanced], [code, enhanced])
    }
    assert.deepEqual([queue.mails, (await kept('anna', 'Sent')).length], [[], 2])
    assert.equal(log.said('submission failed by itself').length, 0)
    assert.equal((await submit(LETTER, to, refusing(new Error('the vault is gone')))).code, 451)
    assert.equal(log.said('submission failed by itself').length, 1)
  }))

test('nothing is signed with a key that its owner gave up', () =>
  inHouse(async ({ submit, queue, signed, kept, directory }) => {
    const [own] = await directory.certificates('anna')
    await directory.revokeCertificate('anna', own!.fingerprint, Buffer.from('revocation'))
    assert.equal((await submit(LETTER, ['bob@beta.test'])).code, 250)
    assert.deepEqual(signed, [])
    assert.deepEqual(opened(queue.mails[0]!).openers, ['bob@beta.test'])
    const [{ text } = { text: '' }] = await kept('anna', 'Sent')
    assert.match(text.replaceAll('\r\n ', ' '), /found=secure-srv; unsigned\r\n/)
  }))

test('too much is refused before it is made', () =>
  inHouse(
    async ({ submit, queue }) => {
      const to = Array.from({ length: 200 }, (_, number) => `r${number}@beta.test`)
      const { code, enhanced } = await submit(['To: bob@beta.test', `X-Fill: ${'x'.repeat(700_000)}`], to)
      assert.deepEqual([code, enhanced, queue.mails.length], [552, '5.3.4', 0])
    },
    { answer: (name) => found(Buffer.from(name), name), sealer: async () => PRETENDED },
  ))

const DISCOVERIES: readonly Discovery[] = [
  NONE,
  UNUSABLE,
  TEMPORARY,
  ...(['secure-srv', 'openpgpkey', 'wkd', 'accepted'] as const).map((evidence) =>
    found(Buffer.from('certificate'), 'AB', evidence),
  ),
]

test('whatever discovery says, nothing readable leaves against the policy', async () => {
  let now: Pick<HouseOptions, 'withoutKey' | 'seals' | 'answer'> = {}
  await using house = await openSealingHouse({ sealer: async () => PRETENDED, settings: () => now })
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        discoveries: fc.array(fc.constantFrom(...DISCOVERIES), { minLength: 1, maxLength: 4 }),
        withoutKey: fc.constantFrom(...WITHOUT_KEY),
        demand: fc.constantFrom(...DEMANDS),
        seals: fc.boolean(),
        isNamed: fc.boolean(),
        isAnswer: fc.boolean(),
      }),
      async ({ discoveries, withoutKey, demand, seals, isNamed, isAnswer }) => {
        const to = discoveries.map((_, index) => `r${index}@beta.test`)
        house.queue.mails.length = 0
        house.pickups.clear()
        now = { withoutKey, seals, answer: (name) => discoveries[Number(name[1])] }
        const lines = [`Letterlock-Encrypt: ${demand}`, ...(isNamed ? [`To: ${to.join(', ')}`] : [])]
        const answer = await house.submit([...lines, 'In-Reply-To: <a@x>'], to, undefined, async () => isAnswer)
        const sent = house.queue.mails.flatMap((mail) => recipientsOf(mail).map((name) => ({ name, mail })))
        const kept = [...house.pickups.values()].map(({ recipient }) => formatAddress(recipient))
        if (answer.code !== 250) assert.deepEqual([sent, kept], [[], []])
        else assert.deepEqual([...sent.map(({ name }) => name), ...kept].toSorted(), to)
        for (const { name, mail } of sent) {
          if (!textOf(mail).includes('canary')) continue
          assert.equal(withoutKey === 'plain' || withoutKey === 'warn', true)
          assert.equal(demand === 'no' || (demand === 'automatic' && !isAnswer), true)
          const { kind, ...rest } = discoveries[Number(name[1])]!
          const hasNone = kind === 'none' || kind === 'unusable' || ('evidence' in rest && rest.evidence === 'wkd')
          assert.equal(hasNone || demand === 'no' || !seals, true, kind)
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('a message to nobody but ourselves is planned only when it asks for something', () =>
  inHouse(
    async ({ submit, kept }) => {
      assert.equal((await submit([SUBJECT], ['bob@alpha.test'])).code, 250)
      assert.equal((await kept('bob')).length, 1)
      assert.match((await submit(['Letterlock-Encrypt: no'], ['bob@alpha.test'])).lines[0]!, /is not allowed here/)
    },
    { withoutKey: 'refuse' },
  ))

const given: Buffer[] = []

test('session keys are wiped once they are handed over', () =>
  inHouse(
    async ({ submit, pickups }) => {
      await submit([SUBJECT], ['none@beta.test'])
      assert.equal(pickups.size, 1)
      for (const key of given)
        assert.equal(
          key.every((octet) => octet === 0),
          true,
        )
      assert.equal(given.length, 1)
    },
    {
      withoutKey: 'pickup',
      sealer: async () => ({
        ...PRETENDED,
        async sealForLater() {
          given.push(Buffer.from([7, 1, 2, 3]))
          return { content: Buffer.from('sealed'), sessionKey: given.at(-1)! }
        },
      }),
    },
  ))
