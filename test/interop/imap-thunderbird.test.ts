/** Thunderbird, Debian's own, lives with the whole provider: account, sync, reading, flags, moving, searching, folders, mail that comes in. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { ImapFlow } from 'imapflow'
import { needs } from '../support/needs.ts'
import { ODD_LETTERS } from '../support/odd-letters.ts'
import { eventually } from '../support/peers/run.ts'
import { startThunderbird, type Thunderbird } from '../support/peers/thunderbird.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const alice = { address: 'alice@alpha.test', password: 'correct horse "battery" ü' }

const letter = (subject: string, body: string) =>
  Buffer.from(
    `From: Bob <bob@beta.test>\r\nTo: ${alice.address}\r\nSubject: ${subject}\r\nMessage-ID: <${encodeURIComponent(subject)}@beta.test>\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${body}\r\n`,
  )

/** What it is refused; it may still look after a folder that it has just renamed. */
const refusals = (conversation: readonly string[]) =>
  conversation.filter((line) => /^< \S+ (BAD|NO) (?!\[NONEXISTENT\])/.test(line))

/** It reads by lines, so the last one always ends. */
const closed = (content: Buffer) =>
  content.toString('latin1').endsWith('\r\n') ? content : Buffer.concat([content, Buffer.from('\r\n')])

describe('Thunderbird', needs('thunderbird', 'certutil'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let thunderbird: Thunderbird
  /** Another client of the same account, that sees what the server has. */
  let other: ImapFlow

  before(async () => {
    directory = await temporaryDirectory('thunderbird')
    for (const name of ['provider', 'thunderbird']) await mkdir(directory.join(name))
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts: [alice] })
    const [driven] = await Promise.all([
      startThunderbird({ directory: directory.join('thunderbird'), ca: provider.ca }),
      provider.start(),
    ])
    thunderbird = driven
    other = await login()
    for (const { content } of ODD_LETTERS) await other.append('INBOX', content)
  })

  after(async () => {
    await other?.logout()
    await thunderbird?.[Symbol.asyncDispose]()
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const account = () => ({
    host: provider.host,
    port: provider.ports.imaps,
    user: alice.address,
    password: alice.password,
  })
  const login = async () => {
    const auth = { user: alice.address, pass: alice.password }
    const { host, port } = account()
    const flow = new ImapFlow({ host, port, auth, secure: true, tls: { rejectUnauthorized: false }, logger: false })
    await flow.connect()
    return flow
  }
  const flagsOf = async (mailbox: string): Promise<Map<number, string[]>> => {
    const lock = await other.getMailboxLock(mailbox, { readOnly: true })
    try {
      const all = await other.fetchAll('1:*', { flags: true }, { uid: true })
      return new Map(all.map(({ uid, flags }) => [uid, [...(flags ?? [])].sort()]))
    } finally {
      lock.release()
    }
  }

  it('adds the account and finds its mailboxes', async () => {
    await thunderbird.addAccount(account())
    const paths = await eventually('the mailboxes', async () => {
      const found = await thunderbird.mailboxes()
      return found.length >= 6 && found
    })
    assert.deepEqual(paths.sort(), ['Archive', 'Drafts', 'INBOX', 'Junk', 'Sent', 'Trash'])
  })

  it('lists and reads every odd message to the octet', async () => {
    const list = await thunderbird.open('INBOX')
    assert.deepEqual(
      list.map(({ subject }) => subject),
      ODD_LETTERS.map(({ name }) => `Odd ${name}`),
    )
    for (const [index, { name, content }] of ODD_LETTERS.entries()) {
      // Of what it has downloaded already it knows the size with the line end that it added.
      const { octets } = list[index]!
      assert.ok(
        [content, closed(content)].some(({ length }) => length === octets),
        `${name}: ${octets} octets`,
      )
      const source = await thunderbird.read('INBOX', list[index]!.uid)
      assert.ok(source.equals(closed(content)), `${name}: ${source.length} octets for ${content.length}`)
    }
    await thunderbird.download('INBOX')
  })

  it('sees a message that comes in while it waits', async () => {
    await thunderbird.idling('INBOX')
    await other.append('INBOX', letter('Fresh', 'just now'))
    await eventually('the message shows itself', async () =>
      (await thunderbird.shown('INBOX')).find(({ subject }) => subject === 'Fresh'),
    )
  })

  it('marks, flags and tags', async () => {
    const [first, second] = await thunderbird.shown('INBOX')
    await thunderbird.mark('INBOX', [first!.uid, second!.uid], { read: true })
    await thunderbird.mark('INBOX', [second!.uid], { flagged: true, tag: '$label1' })
    await eventually('the flags on the server', async () => {
      const flags = await flagsOf('INBOX')
      return flags.get(first!.uid)?.join() === '\\Seen' && flags.get(second!.uid)?.join() === '$label1,\\Flagged,\\Seen'
    })
    await thunderbird.idling('INBOX')
    const lock = await other.getMailboxLock('INBOX')
    try {
      await other.messageFlagsAdd(String(first!.uid), ['\\Answered'], { uid: true })
    } finally {
      lock.release()
    }
    await eventually("the other client's flag", async () =>
      (await thunderbird.shown('INBOX')).find(({ uid, isAnswered }) => uid === first!.uid && isAnswered),
    )
  })

  it('searches on the server', async () => {
    await other.append('INBOX', letter('=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus Bern', 'Die Straße ist gesperrt'))
    const [fresh] = (await thunderbird.open('INBOX')).slice(-1)
    assert.equal(fresh!.subject, 'Grüße aus Bern')
    assert.deepEqual(await thunderbird.search('INBOX', 'Subject', 'grüße'), [fresh!.uid])
    assert.deepEqual(await thunderbird.search('INBOX', 'Body', 'straße ist'), [fresh!.uid])
    assert.deepEqual(
      await thunderbird.search('INBOX', 'Sender', 'odd@'),
      (await thunderbird.shown('INBOX')).slice(0, ODD_LETTERS.length).map(({ uid }) => uid),
    )
    assert.deepEqual(await thunderbird.search('INBOX', 'Body', 'nothing has this'), [])
  })

  it('makes folders with any name and moves, copies and deletes messages', async () => {
    await thunderbird.create('', 'Entwürfe & 書類')
    await thunderbird.create('Entwürfe & 書類', 'Ünter')
    assert.ok((await other.list()).some(({ path }) => path === 'Entwürfe & 書類/Ünter'))
    await thunderbird.mailboxes()
    const [first, second, third] = await thunderbird.shown('INBOX')
    await thunderbird.move('INBOX', [first!.uid, second!.uid], 'Entwürfe & 書類')
    await thunderbird.copy('INBOX', [third!.uid], 'Entwürfe & 書類/Ünter')
    await thunderbird.remove('INBOX', [third!.uid])
    assert.deepEqual(
      [...(await flagsOf('Entwürfe & 書類')).values()],
      [
        ['\\Answered', '\\Seen'],
        ['$label1', '\\Flagged', '\\Seen'],
      ],
    )
    assert.equal((await flagsOf('Entwürfe & 書類/Ünter')).size, 1)
    assert.equal((await flagsOf('Trash')).size, 1)
    assert.ok(![...(await flagsOf('INBOX')).keys()].includes(third!.uid))
    const moved = await thunderbird.open('Entwürfe & 書類')
    assert.deepEqual(await thunderbird.read('Entwürfe & 書類', moved[0]!.uid), ODD_LETTERS[0]!.content)
    await thunderbird.rename('Entwürfe & 書類', 'Akten')
    assert.ok((await other.list()).some(({ path }) => path === 'Akten/Ünter'))
  })

  it('saves a draft to the octet', async () => {
    const draft = letter('Unfinished', 'to be continued')
    await thunderbird.save('Drafts', draft)
    const lock = await other.getMailboxLock('Drafts', { readOnly: true })
    try {
      const [saved] = await other.fetchAll('*', { source: true })
      assert.deepEqual(saved?.source, draft)
    } finally {
      lock.release()
    }
  })

  it('asks for what changed, with CONDSTORE, and comes back when the server was restarted', async () => {
    await using second = await startThunderbird({
      directory: directory.join('second'),
      ca: provider.ca,
      preferences: { 'mail.server.default.use_condstore': true },
    })
    await second.addAccount(account())
    const before = await second.open('INBOX')
    await other.logout()
    await provider.restart()
    other = await login()
    const lock = await other.getMailboxLock('INBOX')
    const [gone, flagged] = before
    await other.messageDelete(String(gone!.uid), { uid: true })
    await other.messageFlagsAdd(String(flagged!.uid), ['\\Flagged'], { uid: true })
    lock.release()
    await other.append('INBOX', letter('After the restart', 'new'))
    const after = await eventually('Thunderbird is back', async () => {
      // The first try may find its old connection dead.
      const shown = await second.open('INBOX').catch(() => [])
      const isWhole = shown.some(({ subject }) => subject === 'After the restart') && shown[0]?.isFlagged
      return isWhole && shown
    })
    assert.deepEqual(
      after.map(({ subject }) => subject),
      [...before.slice(1).map(({ subject }) => subject), 'After the restart'],
    )
    assert.ok(after[0]!.uid === flagged!.uid && after[0]!.isFlagged)
    const conversation = await second.conversation()
    assert.ok(
      conversation.some((line) => /^> .*\(CHANGEDSINCE \d+/.test(line)),
      conversation.join('\n'),
    )
    assert.deepEqual(refusals(conversation), [])
  })

  it('was never told BAD or NO', async () => {
    const conversation = await thunderbird.conversation()
    for (const command of ['IDLE', 'uid move', 'uid copy', 'UID SEARCH', 'append', 'create', 'rename'])
      assert.ok(
        conversation.some((line) => line.startsWith('> ') && line.toUpperCase().includes(command.toUpperCase())),
        command,
      )
    assert.deepEqual(refusals(conversation), [])
  })
})
