/** Device mode: what the server keeps is wrapped for a key that it does not have. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { decodeSummary, encodeSummary, summarize } from '#formats/message/summary.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { isEncrypted, originalOf, payloadOf, unwrapEncrypted, wrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { systemClock } from '#lib/clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { ChangingKeys, newKeys } from './changing-keys.contract.ts'
import type { AccountMail, MailStore } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { createStorePool } from './store-pool.ts'

const ACCOUNT = 'alice0000000000000000001'
const CANARY = 'CANARY-51c2e8'

function message(body = `The word is ${CANARY}.`) {
  const fields = ['From: bob@b.test', 'To: owner@a.test', `Subject: ${CANARY} in the subject`, 'Message-ID: <1@b.test>']
  const content = Buffer.from(`${fields.join('\r\n')}\r\nReceived: from ${CANARY}.test\r\n\r\n${body}\r\n`)
  return { content, summary: encodeSummary(summarize(content)), internalDate: 0, flags: [] }
}

async function ownedByDevice() {
  const keys = new ChangingKeys()
  await keys.change()
  const device = await newKeys()
  keys.device = device.certificate
  const secret = openSecretKeys(device.secret)
  /** What the owner's own program makes of a message. */
  const open = (octets: Uint8Array): Buffer => {
    const sealed = unwrapEncrypted(octets)!
    const [sessionKey] = splitMessage(sealed).pkesks.flatMap((pkesk) => sessionKeyOf(secret, pkesk) ?? [])
    return originalOf(unseal(sealed, sessionKey!))
  }
  return { keys, open }
}

const mailboxOf = async (mail: AccountMail, name: string) =>
  (await mail.mailboxes()).find((one) => one.name === name)!.id

/** Delivers, appends and reads; answers what the server itself can read of it all. */
async function use(store: MailStore, keys: ChangingKeys): Promise<Buffer[]> {
  const { mailbox: inbox } = await store.append(ACCOUNT, 'INBOX', message())
  await store.append(ACCOUNT, 'INBOX', message(CANARY.repeat(20_000)))
  await using mail = await store.open(ACCOUNT, keys.reading())
  const drafts = await mailboxOf(mail, 'Drafts')
  await mail.append(drafts, message())
  await mail.copy(inbox, [1], drafts)
  const readable: Buffer[] = []
  for (const [mailbox, uids] of [
    [inbox, [1, 2]],
    [drafts, [1, 2]],
  ] as const) {
    for (const summary of await mail.summaries(mailbox, uids)) readable.push(Buffer.from(summary!))
    for (const uid of uids) readable.push(Buffer.from((await mail.read(mailbox, uid))!))
  }
  return readable
}

test('a message is kept wrapped for the device, whichever way it comes, and comes back to the octet there', async () => {
  const { keys, open } = await ownedByDevice()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  const given = message()
  const { mailbox, uid } = await store.append(ACCOUNT, 'INBOX', given)
  await using mail = await store.open(ACCOUNT, keys.reading())
  const read = Buffer.from((await mail.read(mailbox, uid))!)
  assert.deepEqual(open(read), given.content)
  const [summary] = await mail.summaries(mailbox, [uid])
  const { root, size } = decodeSummary(summary!)
  assert.deepEqual(
    [root.type, root.subtype, root.envelope?.subject, root.envelope?.messageId],
    ['multipart', 'encrypted', '[...]', '<1@b.test>'],
  )
  assert.equal(size, read.byteLength)
})

test('nothing of it but the outer fields is in any file, nor in what the server can open', async () => {
  const { keys } = await ownedByDevice()
  await using directory = await temporaryDirectory('device')
  const { path: dataDir } = directory
  const log = createFakeLog()
  {
    await using store = createStorePool({ dataDir, workers: 1, sealing: keys.sealing, clock: systemClock, logger: log })
    await store.create(ACCOUNT)
    for (const readable of await use(store, keys)) {
      assert.ok(readable.includes('bob'), 'who wrote it is known')
      assert.ok(!readable.includes(CANARY))
    }
  }
  const files = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())
  assert.ok(files.length >= 2)
  for (const { parentPath, name } of files) assert.ok(!(await readFile(`${parentPath}/${name}`)).includes(CANARY), name)
  assert.deepEqual(log.lines, [])
})

test('the first message after the change is wrapped, in sessions that were open before too', async () => {
  const { keys } = await ownedByDevice()
  const { device } = keys
  keys.device = null
  await using directory = await temporaryDirectory('device')
  const options = { dataDir: directory.path, workers: 1, clock: systemClock, logger: createFakeLog() }
  await using store = createStorePool({ ...options, sealing: keys.sealing })
  await store.create(ACCOUNT)
  await using mail = await store.open(ACCOUNT, keys.reading())
  const isWrapped = async (mailbox: number, uid: number) => isEncrypted((await mail.read(mailbox, uid))!)
  const { mailbox } = await store.append(ACCOUNT, 'INBOX', message())
  keys.device = device
  await store.append(ACCOUNT, 'INBOX', message())
  await mail.append(mailbox, message())
  assert.deepEqual(await Promise.all([1, 2, 3].map((uid) => isWrapped(mailbox, uid))), [false, true, true])
})

test('what is encrypted already is kept as it came', async () => {
  const { keys } = await ownedByDevice()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  const { mailbox } = await store.append(ACCOUNT, 'INBOX', message())
  await using mail = await store.open(ACCOUNT, keys.reading())
  const content = Buffer.from((await mail.read(mailbox, 1))!)
  assert.ok(isEncrypted(content))
  await mail.append(mailbox, { ...message(), content, summary: encodeSummary(summarize(content)) })
  assert.deepEqual(Buffer.from((await mail.read(mailbox, 2))!), content)
})

test('what is encrypted to the key at rest, which the server has, is wrapped too', async () => {
  const { keys, open } = await ownedByDevice()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  const given = message()
  const { certificate } = await keys.sealing()
  const atRest = seal(parseCertificate(certificate!).encryptionKeys, payloadOf(given.content))
  const content = wrapEncrypted(given.content, atRest.message)
  const { mailbox } = await store.append(ACCOUNT, 'INBOX', {
    ...given,
    content,
    summary: encodeSummary(summarize(content)),
  })
  await using mail = await store.open(ACCOUNT, keys.reading())
  assert.deepEqual(open((await mail.read(mailbox, 1))!), content)
})

test('what cannot be wrapped is not kept', async () => {
  const { keys } = await ownedByDevice()
  keys.device = Buffer.from('no certificate')
  const inner = createMemoryMailStore()
  const store = createSealedMailStore(inner, { sealing: keys.sealing, logger: createFakeLog(), clock: systemClock })
  await store.create(ACCOUNT)
  await assert.rejects(store.append(ACCOUNT, 'INBOX', message()))
  await using mail = await store.open(ACCOUNT, keys.reading())
  await assert.rejects(mail.append(await mailboxOf(mail, 'Drafts'), message()))
  assert.equal((await inner.quota(ACCOUNT)).used, 0)
})

test('what was wrapped stays so when it is sealed again at rest', async () => {
  const { keys, open } = await ownedByDevice()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  const given = message()
  const { mailbox, uid } = await store.append(ACCOUNT, 'INBOX', given)
  await keys.change()
  await using mail = await store.open(ACCOUNT, keys.reading())
  const before = await mail.read(mailbox, uid)
  assert.equal((await mail.reseal(10)).current, 1)
  assert.deepEqual(await mail.read(mailbox, uid), before)
  assert.deepEqual(open(before!), given.content)
})
