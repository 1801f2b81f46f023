import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SubmissionAgent, SubmittedMail } from '#agents/submission/submission.ts'
import type { Account, Directory } from '#custody/accounts/directory.ts'
import {
  type CredentialUse,
  type Keyring,
  NotWithThisCredential,
  PassphraseNeeded,
  type UnlockedKeys,
} from '#custody/keyring/keyring.ts'
import type { AccountMail, MailStore, ReadingKeys } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import type { UnsealingAid } from '#custody/store/unsealing-aid.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { reply } from '#formats/smtp/reply.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Protocol } from './session.ts'
import { createSessionDesk, type SessionDeskOptions } from './session-desk.ts'

const ALICE: Account = {
  id: 'alice00000000001',
  address: { local: 'alice', domain: 'alpha.test' },
  state: 'active',
  created: 0,
  quota: null,
}
const NOW = Date.UTC(2026, 10, 2)
const DAY = 86_400_000

function desk(account: Account = ALICE, more: Partial<SessionDeskOptions> = {}) {
  const asked: (string | null)[] = []
  const closed: string[] = []
  const uses: (CredentialUse | undefined)[] = []
  const keysOf = (id: string, reads: boolean): UnlockedKeys => ({
    account: id,
    reads,
    signs: true,
    slot: 's',
    openings: [
      { at: NOW - 40 * DAY, ticket: 'long ago', master: 'AB' },
      { at: NOW - 20 * DAY, ticket: 'lost code', master: 'AB' },
      { at: NOW - DAY, ticket: 'again', master: 'CD' },
    ],
    olderIndexKeys: async () => [],
    sessionKeys: async () => [],
    indexKey: async () => Buffer.alloc(32),
    sign: async () => Buffer.alloc(0),
    ended: new AbortController().signal,
    [Symbol.asyncDispose]: async () => void closed.push(id),
  })
  const keyring = {
    async unlock(id: string | null, credential: Buffer, { use }: { use?: CredentialUse } = {}) {
      asked.push(id)
      uses.push(use)
      const typed = credential.toString()
      if (id && typed === 'half') throw new PassphraseNeeded()
      if (typed === 'meanwhile') Object.assign(account, { state: 'suspended' })
      return id && ['right', 'sends', 'meanwhile'].includes(typed) ? keysOf(id, typed === 'right') : null
    },
  } as unknown as Keyring
  const directory = {
    accountByLogin: async (user: string) => (user === 'alice@alpha.test' ? { ...account } : null),
  } as unknown as Directory
  const store = createMemoryMailStore()
  const made = createSessionDesk({
    directory,
    keyring,
    store,
    submission: {} as SubmissionAgent,
    logger: silentLogger,
    metrics: noMetrics,
    failedLogins: 3,
    now: () => NOW,
    clock: createFakeClock(NOW),
    ...more,
  })
  const login = (user: string, password: string, ip = '192.0.2.1', protocol: Protocol = 'imap') => {
    const credential = Buffer.from(password)
    return { credential, result: made.login({ user, credential, protocol, ip }) }
  }
  return { login, asked, closed, uses, store }
}

test('wrong password, unknown and suspended account: the same answer after the same work, and the credential is wiped', async () => {
  const { login, asked } = desk()
  for (const user of ['alice@alpha.test', 'nobody@alpha.test']) {
    const { credential, result } = login(user, 'wrong')
    assert.deepEqual(await result, { kind: 'refused' })
    assert.deepEqual(credential, Buffer.alloc(5))
  }
  assert.deepEqual(asked, [ALICE.id, null], 'the keyring works for unknown names too')
  const suspended = desk({ ...ALICE, state: 'suspended' })
  assert.deepEqual(await suspended.login('alice@alpha.test', 'right').result, { kind: 'refused' })
  assert.deepEqual(suspended.closed, [ALICE.id], 'its keys are not left open')
})

test('who is suspended while the credential is tried is not let in', async () => {
  const { login, closed } = desk({ ...ALICE })
  assert.deepEqual(await login('alice@alpha.test', 'meanwhile').result, { kind: 'refused' })
  assert.deepEqual(closed, [ALICE.id])
})

test('after too many failures nobody from there is asked for, and others still get in', async () => {
  const { login, asked } = desk()
  for (let i = 0; i < 3; i++) await login(`guess${i}@alpha.test`, 'wrong').result
  const before = asked.length
  assert.deepEqual(await login('alice@alpha.test', 'right').result, { kind: 'unavailable' })
  assert.equal(asked.length, before)
  assert.equal((await login('alice@alpha.test', 'right', '192.0.2.2').result).kind, 'welcome')
})

test('guessing one name from many places is braked as well', async () => {
  const { login } = desk()
  for (let i = 0; i < 30; i++) await login('alice@alpha.test', 'wrong', `192.0.2.${i}`).result
  // However it is spelled.
  for (const name of ['ALICE@alpha.test', '"\\alice"@Alpha.test'])
    assert.deepEqual(await login(name, 'right', '198.51.100.1').result, { kind: 'unavailable' })
})

test('each front-end says what the credential is to be used for', async () => {
  const { login, uses } = desk()
  for (const protocol of ['imap', 'pop3', 'submission', 'jmap'] as const) {
    await login('alice@alpha.test', 'right', '192.0.2.1', protocol).result
  }
  assert.deepEqual(uses, ['imap', 'pop3', 'smtp', 'jmap'])
})

test('the password without the passphrase is no guess, and is not tried for ever', async () => {
  const { login, asked } = desk()
  for (let i = 0; i < 30; i++) assert.deepEqual(await login('alice@alpha.test', 'half').result, { kind: 'passphrase' })
  assert.deepEqual(await login('alice@alpha.test', 'right').result, { kind: 'unavailable' })
  assert.equal(asked.length, 30)
  assert.equal((await login('alice@alpha.test', 'right', '192.0.2.2').result).kind, 'welcome')
  const suspended = desk({ ...ALICE, state: 'suspended' })
  assert.deepEqual(await suspended.login('alice@alpha.test', 'half').result, { kind: 'refused' })
})

test('who came in to send has no mail', async () => {
  const { login, closed } = desk()
  const result = await login('alice@alpha.test', 'sends', '192.0.2.1', 'submission').result
  assert.ok(result.kind === 'welcome')
  await assert.rejects(result.session.mail(), NotWithThisCredential)
  await result.session[Symbol.asyncDispose]()
  assert.deepEqual(closed, [ALICE.id])
})

test('whether mail came encrypted is asked of the account, by who may read it', async () => {
  const submitted: SubmittedMail[] = []
  const submission = {
    async submit(mail: SubmittedMail) {
      submitted.push(mail)
      return reply(250, '2.0.0', 'accepted')
    },
  } as unknown as SubmissionAgent
  const asked: (readonly string[])[] = []
  const store = {
    open: async () => ({
      resealing: async () => 'off',
      async sealedAmong(ids: readonly string[]) {
        asked.push(ids)
        return ids.filter((id) => id === 'came@x')
      },
      async [Symbol.asyncDispose]() {},
    }),
  } as unknown as MailStore
  const { login } = desk(ALICE, { submission, store })
  for (const password of ['right', 'sends']) {
    const result = await login('alice@alpha.test', password, '192.0.2.1', 'submission').result
    assert.ok(result.kind === 'welcome')
    await result.session.submit({} as Parameters<typeof result.session.submit>[0])
    const { isReplyToSealed } = submitted.at(-1)!
    if (password === 'sends') assert.equal(isReplyToSealed, null)
    else {
      assert.equal(await isReplyToSealed!(['a@x', 'came@x']), true)
      assert.equal(await isReplyToSealed!(['a@x']), false)
    }
    await result.session[Symbol.asyncDispose]()
  }
  assert.equal(asked.length, 2)
})

test('uses of the escrow slot are told for 30 days, newest first', async () => {
  const result = await desk().login('alice@alpha.test', 'right').result
  assert.ok(result.kind === 'welcome')
  assert.deepEqual(result.session.notices, [
    'This account was opened with the escrow master key CD on 2026-11-01, ticket: again',
    'This account was opened with the escrow master key AB on 2026-10-13, ticket: lost code',
  ])
})

const message = (id: string, more = '') => {
  const content = Buffer.from(`Message-ID: <${id}>\r\nSubject: x\r\n\r\nbody${more}\r\n`)
  return { content, summary: encodeSummary(summarize(content)), internalDate: NOW - 60_000 }
}

async function uidsIn(mail: AccountMail, mailbox: number): Promise<number[]> {
  return (await mail.list(mailbox)).map((row) => row.uid)
}

test("a client's copy in Sent takes the place of the one that submission made, and of no other", async () => {
  const { login, store } = desk()
  await store.create(ALICE.id)
  for (const id of ['one@alpha.test', 'two@alpha.test'])
    await store.append(ALICE.id, 'Sent', { ...message(id), flags: ['\\Seen', '$Submitted'] })
  const result = await login('alice@alpha.test', 'right').result
  assert.ok(result.kind === 'welcome')
  await using session = result.session
  const mail = await session.mail()
  const idOf = async (name: string) => (await mail.mailboxes()).find((one) => one.name === name)!.id
  const sent = await idOf('Sent')
  await mail.append(sent, { ...message('one@alpha.test', ' by the client'), flags: ['\\Seen'] })
  assert.deepEqual(await uidsIn(mail, sent), [2, 3])
  assert.match(Buffer.from((await mail.read(sent, 3))!).toString(), /by the client/)
  await mail.append(sent, { ...message('one@alpha.test', ' again'), flags: ['\\Seen'] })
  assert.deepEqual(await uidsIn(mail, sent), [2, 3, 4], "a client's own copies are its own affair")
  await mail.append(await idOf('Archive'), { ...message('two@alpha.test'), flags: [] })
  assert.deepEqual(await uidsIn(mail, sent), [2, 3, 4])
  const both = ['two@alpha.test', 'three@alpha.test'].map((id) => ({ ...message(id), flags: ['\\Seen'] }))
  await mail.appendAll(sent, both)
  assert.deepEqual(await uidsIn(mail, sent), [3, 4, 5, 6])
})

test("what submission noted of the way a message went stays in the client's copy, and nothing that the client says of it", async () => {
  const { login, store } = desk()
  await store.create(ALICE.id)
  const note = 'Letterlock-Protection: sealed; to=bob@beta.test;\r\n key=AB\r\n'
  const of = (content: string) => {
    const octets = Buffer.from(content)
    return { content: octets, summary: encodeSummary(summarize(octets)), internalDate: NOW }
  }
  const text = 'Message-ID: <one@alpha.test>\r\nSubject: as written\r\n\r\nbody\r\n'
  await store.append(ALICE.id, 'Sent', { ...of(note + note + text), flags: ['$Submitted'] })
  const result = await login('alice@alpha.test', 'right').result
  assert.ok(result.kind === 'welcome')
  await using session = result.session
  const mail = await session.mail()
  const sent = (await mail.mailboxes()).find(({ name }) => name === 'Sent')!.id
  await mail.append(sent, { ...of(`X-Client: it\r\nLetterlock-Protection: forged\r\n${text}`), flags: [] })
  const [uid, ...more] = await uidsIn(mail, sent)
  assert.equal(more.length, 0)
  const kept = Buffer.from((await mail.read(sent, uid!))!)
  assert.equal(kept.toString(), `${note}${note}X-Client: it\r\n${text}`)
  assert.deepEqual(Buffer.from((await mail.summaries(sent, [uid!]))[0]!), encodeSummary(summarize(kept)))
})

test('mail is opened with the aid of its account; who only sends has none', async () => {
  const memory = createMemoryMailStore()
  await memory.create(ALICE.id)
  const opened: (ReadingKeys | null)[] = []
  const open: MailStore['open'] = async (account, keys) => {
    opened.push(keys)
    return await memory.open(account, keys)
  }
  const store: MailStore = new Proxy(memory, {
    get: (target, name) => (name === 'open' ? open : Reflect.get(target, name, target)),
  })
  const aids: string[] = []
  const aid = (account: string) => ({ authservId: aids[aids.push(account) - 1] }) as UnsealingAid
  const { login } = desk(ALICE, { store, aid })
  const sent = await login('alice@alpha.test', 'sends').result
  assert.ok(sent.kind === 'welcome')
  await assert.rejects(sent.session.mail(), NotWithThisCredential)
  assert.deepEqual([opened, aids], [[], []])
  const read = await login('alice@alpha.test', 'right').result
  assert.ok(read.kind === 'welcome')
  await using session = read.session
  await session.mail()
  assert.equal(opened[0]?.aid?.authservId, ALICE.id)
  assert.deepEqual(await opened[0]?.indexKey(), Buffer.alloc(32))
})
