/** mbsync and a mailbox of ten thousand messages: all of them to the octet, nothing when nothing changed, then changes on both sides. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ImapFlow } from 'imapflow'
import { needs } from '../support/needs.ts'
import { type Mbsync, mbsync } from '../support/peers/mbsync.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const COUNT = 10_000
const alice = { address: 'alice@alpha.test', password: 'correct horse' }

/** From a few hundred octets to some kilobytes; the number makes each of its kind. */
const messageOf = (number: number) =>
  [
    `From: sender-${number % 97}@beta.test`,
    `To: ${alice.address}`,
    `Subject: Number ${number}`,
    `Message-ID: <${number}@beta.test>`,
    'Date: Sun, 22 Nov 2026 08:00:00 +0000',
    '',
    ...Array.from({ length: number % 60 }, (_, line) => `${number} ${line} Grüße ${'x'.repeat(line)}`),
    '',
  ].join('\n')

const digest = (content: Buffer) =>
  createHash('sha256')
    .update(content.toString('latin1').replace(/^X-TUID: .{12}\n(?=\n)/m, ''), 'latin1')
    .digest('base64')

describe('mbsync with ten thousand messages', needs('mbsync'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let client: Mbsync

  before(async () => {
    directory = await temporaryDirectory('ten-thousand')
    for (const name of ['provider', 'mbsync', 'source', 'source/new', 'source/cur', 'source/tmp'])
      await mkdir(directory.join(name))
    for (let number = 1; number <= COUNT; number++)
      await writeFile(
        directory.join('source/cur', `${1_700_000_000 + number}.${number}.here:2,${number % 3 ? 'S' : ''}`),
        messageOf(number),
      )
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts: [alice] })
    const imported = await provider.json<{ imported: number }>([
      'import',
      alice.address,
      '--from',
      `maildir:${directory.join('source')}`,
    ])
    assert.equal(imported.imported, COUNT)
    await provider.start()
    client = await mbsync({
      directory: directory.join('mbsync'),
      host: provider.host,
      port: provider.ports.imaps,
      user: alice.address,
      password: alice.password,
      certificate: provider.certificate,
    })
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const sync = async () => {
    const started = performance.now()
    const ran = await client.sync()
    assert.equal(ran.code, 0, ran.output)
    return performance.now() - started
  }
  const names = async () =>
    (await Promise.all(['new', 'cur'].map((folder) => readdir(join(client.path('INBOX'), folder))))).flat().sort()

  it('copies all of them, octet for octet', async (test) => {
    test.diagnostic(`first sync: ${Math.round(await sync())} ms`)
    const expected = Array.from({ length: COUNT }, (_, index) => digest(Buffer.from(messageOf(index + 1)))).sort()
    const messages = await client.messages('INBOX')
    assert.deepEqual(messages.map(({ content }) => digest(content)).sort(), expected)
    assert.equal(messages.filter(({ flags }) => flags.includes('S')).length, COUNT - Math.floor(COUNT / 3))
  })

  it('does nothing when nothing changed, again and again', async (test) => {
    const before = await names()
    for (let round = 0; round < 3; round++) test.diagnostic(`sync without changes: ${Math.round(await sync())} ms`)
    assert.deepEqual(await names(), before)
  })

  it('carries changes of both sides', async () => {
    const before = await client.messages('INBOX')
    const numberIn = ({ content }: { content: Buffer }) =>
      Number(/^Subject: Number (\d+)\r?$/m.exec(content.toString())![1])
    const fileOf = new Map(before.map((message) => [numberIn(message), message]))
    const moveAside = async (number: number, flags: string) => {
      const { file, isNew } = fileOf.get(number)!
      const from = join(client.path('INBOX'), isNew ? 'new' : 'cur', file)
      await rename(from, join(client.path('INBOX'), 'cur', `${file.replace(/:2,.*$/, '')}:2,${flags}`))
    }
    for (let number = 1; number <= 100; number++) await moveAside(number, 'FS')
    for (let number = 101; number <= 200; number++) {
      const { file, isNew } = fileOf.get(number)!
      await rm(join(client.path('INBOX'), isNew ? 'new' : 'cur', file))
    }
    for (let number = COUNT + 1; number <= COUNT + 50; number++)
      await writeFile(join(client.path('INBOX'), 'cur', `1800000000.${number}.near:2,S`), messageOf(number))
    await using far = await connected()
    const numbers = await far.edit(async (flow) => {
      const all = await flow.fetchAll('1:*', { headers: ['subject'] })
      return new Map(all.map(({ uid, headers }) => [uid, numberIn({ content: headers! })]))
    })
    const uids = new Map([...numbers].map(([uid, number]) => [number, uid]))
    const uidsOf = (first: number, last: number) =>
      range(first, last)
        .map((number) => uids.get(number)!)
        .join()
    await far.edit(async (flow) => {
      await flow.messageDelete(uidsOf(201, 300), { uid: true })
      await flow.messageFlagsAdd(uidsOf(301, 400), ['\\Answered'], { uid: true })
      await flow.messageMove(uidsOf(401, 500), 'Archive', { uid: true })
      for (const number of range(COUNT + 51, COUNT + 100))
        await flow.append('INBOX', messageOf(number).replaceAll('\n', '\r\n'))
    })
    await sync()
    const gone = new Set([...range(101, 200), ...range(201, 300), ...range(401, 500)])
    const expected = range(1, COUNT + 100).filter((number) => !gone.has(number))
    const near = await client.messages('INBOX')
    const sorted = (numbers: number[]) => numbers.sort((a, b) => a - b)
    assert.deepEqual(sorted(near.map(numberIn)), expected)
    assert.deepEqual(sorted((await client.messages('Archive')).map(numberIn)), range(401, 500))
    assert.deepEqual(sorted(near.filter(({ flags }) => flags.includes('F')).map(numberIn)), range(1, 100))
    assert.deepEqual(sorted(near.filter(({ flags }) => flags.includes('R')).map(numberIn)), range(301, 400))
    const flagged = await far.edit(async (flow) => {
      const all = await flow.fetchAll('1:*', { flags: true })
      assert.equal(all.length, expected.length)
      return all.filter(({ flags }) => flags!.has('\\Flagged')).map(({ uid }) => numbers.get(uid)!)
    })
    assert.deepEqual(sorted(flagged), range(1, 100))
  })

  async function connected() {
    const flow = new ImapFlow({
      host: provider.host,
      port: provider.ports.imaps,
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user: alice.address, pass: alice.password },
      logger: false,
    })
    await flow.connect()
    return {
      /** With the inbox selected. */
      async edit<T>(work: (flow: ImapFlow) => Promise<T>): Promise<T> {
        const lock = await flow.getMailboxLock('INBOX')
        try {
          // What other sessions expunged is told here, not within a FETCH.
          await flow.noop()
          return await work(flow)
        } finally {
          lock.release()
        }
      },
      [Symbol.asyncDispose]: () => flow.logout(),
    }
  }
})

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
