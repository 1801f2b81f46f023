/** Mail that other programs keep: Dovecot by IMAP and as the Maildir on its disk, mbox files of Python and mutt, and mutt in a Maildir of ours. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ImapFlow } from 'imapflow'
import { createImapSource } from '#agents/import/imap-source.ts'
import { openMaildir } from '#agents/import/maildir-source.ts'
import { openMbox } from '#agents/import/mbox-source.ts'
import { exportAll } from '#cli/export.ts'
import { maildirWriter } from '#cli/export-files.ts'
import { Progress } from '#cli/progress.ts'
import { systemClock } from '#lib/clock.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { ACCOUNT, type ImportHouse, importHouse, readAll } from '../support/import-house.ts'
import { letters } from '../support/letters.ts'
import { needs } from '../support/needs.ts'
import { type Dovecot, startDovecot } from '../support/peers/dovecot.ts'
import { run } from '../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const COUNT = 2000
const CLIENTS = 8
const user = { address: 'anna@dovecot.test', password: 'moves away' }
const dateOf = (at: number) => new Date((1_500_000_000 + at * 60) * 1000)
const FLAGS = [[], ['\\Seen'], ['\\Seen', '\\Answered', '$Label1'], ['\\Flagged', '\\Draft']]

const byContent = async (house: ImportHouse) =>
  (await house.kept())
    .map(({ mailbox, content, flags, internalDate }) =>
      JSON.stringify([mailbox, content, [...flags].sort(), internalDate]),
    )
    .sort()

describe('leaving Dovecot', needs('dovecot', 'root'), () => {
  let directory: TemporaryDirectory
  let dovecot: Dovecot
  let expected: string[]

  before(async () => {
    directory = await temporaryDirectory('leaving', true)
    dovecot = await startDovecot({ directory: directory.path, users: [user], mailCrypt: false })
    const client = await login()
    for (const name of ['Sent', 'Entwürfe', 'Entwürfe.Älter']) await client.mailboxCreate(name)
    await client.logout()
    const awkward = letters('a@beta.test', user.address, 'A subject', 'a body').filter(({ name }) => name !== 'large')
    const place = (at: number) =>
      at % 50 === 0 ? ['Sent', 'Sent'] : at % 40 === 1 ? ['Entwürfe.Älter', 'Entwürfe/Älter'] : ['INBOX', 'INBOX']
    expected = []
    const append = async (by: ImapFlow, at: number) => {
      const content = Buffer.concat([Buffer.from(`X-Number: ${at}\r\n`), awkward[at % awkward.length]!.content])
      const flags = FLAGS[at % FLAGS.length]!
      await by.append(place(at)[0]!, content, [...flags], dateOf(at))
      expected.push(JSON.stringify([place(at)[1], content.toString('latin1'), [...flags].sort(), dateOf(at).getTime()]))
    }
    // Dovecot syncs each, so several wait at once.
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, first) => {
        const by = await login()
        for (let at = first; at < COUNT; at += CLIENTS) await append(by, at)
        await by.logout()
      }),
    )
    expected.sort()
  })
  after(async () => {
    await dovecot?.stop()
    await directory?.[Symbol.asyncDispose]()
  })

  async function login(): Promise<ImapFlow> {
    const client = new ImapFlow({
      host: dovecot.host,
      port: dovecot.imapPort,
      secure: false,
      doSTARTTLS: false,
      auth: { user: user.address, pass: user.password },
      logger: false,
    })
    await client.connect()
    return client
  }

  const source = async (port: number, controller = new AbortController()) =>
    createImapSource(
      {
        implicitTls: true,
        user: user.address,
        host: dovecot.host,
        port,
        mailbox: null,
        password: Buffer.from(user.password),
        ca: await readFile(dovecot.ca, 'utf8'),
        messageLimit: 1_000_000,
      },
      { clock: systemClock, signal: controller.signal, notice: () => {} },
    )

  it('by IMAP, with the connection cut once, then interrupted, then to its end', async () => {
    await using proxy = await startCuttingProxy(dovecot.host, dovecot.imapsPort, [300_000])
    await using house = await importHouse()
    const controller = new AbortController()
    const progress = ({ imported }: { imported: number }) => {
      if (imported >= 1000) controller.abort()
    }
    await using first = await source(proxy.port, controller)
    const interrupted = await house.take(first, { signal: controller.signal, progress })
    assert.equal(interrupted.end.kind, 'interrupted')
    assert.equal(proxy.cuts, 1)
    assert.ok(interrupted.imported >= 1000 && interrupted.imported < COUNT)
    await using second = await source(proxy.port)
    const rest = await house.take(second)
    assert.deepEqual([rest.imported + rest.duplicates, rest.failed, rest.end.kind], [COUNT, 0, 'complete'])
    assert.equal(rest.imported, COUNT - interrupted.imported)
    assert.deepEqual(await byContent(house), expected)
  })

  it('as the Maildir on its disk', async () => {
    await using house = await importHouse()
    const path = join(dovecot.mail, user.address, 'Maildir')
    const result = await house.take(await openMaildir(path, { messageLimit: 1_000_000 }))
    assert.deepEqual([result.imported, result.failures], [COUNT, []])
    assert.deepEqual(await byContent(house), expected)
  })
})

const python = `
import mailbox, sys, time
box = mailbox.mbox(sys.argv[1])
for at in range(3):
    message = mailbox.mboxMessage(b'Subject: %d\\n\\nFrom here\\n>From there\\n\\nFrom a@b Tue Nov  3 10:00:00 2026\\nend\\n' % at)
    message.set_from('a@beta.test', time.gmtime(1500000000 + at))
    message.set_flags(['', 'R', 'ROAF'][at])
    box.add(message)
box.close()
`

it('an mbox file of Python', needs('python3'), async () => {
  await using directory = await temporaryDirectory('mbox')
  await run('python3', ['-c', python, directory.join('mbox')])
  const found = await readAll(await openMbox(directory.join('mbox'), { messageLimit: 1_000_000 }))
  const body = 'From here\r\nFrom there\r\n\r\nFrom a@b Tue Nov  3 10:00:00 2026\r\nend\r\n'
  assert.deepEqual(
    found.map(({ content, flags, internalDate }) => [content, [...flags].sort(), internalDate]),
    [
      [`Subject: 0\r\n\r\n${body}`, [], 1_500_000_000_000],
      [`Subject: 1\r\n\r\n${body}`, ['\\Seen'], 1_500_000_001_000],
      [`Subject: 2\r\n\r\n${body}`, ['\\Answered', '\\Flagged', '\\Seen'], 1_500_000_002_000],
    ],
  )
})

it('mutt opens our Maildir, and what it writes as an mbox file comes in again', needs('mutt', 'python3'), async () => {
  await using directory = await temporaryDirectory('mutt')
  await using house = await importHouse()
  await using mail = await house.store.open(ACCOUNT, null)
  // It ends a header at the first line that is no field.
  const sent = letters('a@beta.test', 'anna@alpha.test', 'A subject', 'a body')
    .filter(({ name }) => name !== 'broken-header')
    .map(({ content }) => content)
  for (const [at, content] of sent.entries()) {
    const flags = at % 2 ? ['\\Seen', '\\Answered'] : []
    await house.store.append(ACCOUNT, 'INBOX', {
      content,
      summary: Buffer.alloc(0),
      internalDate: (1_500_000_000 + at) * 1000,
      flags,
    })
  }
  const mailboxes = await mail.mailboxes()
  const to = directory.join('maildir')
  await mkdir(to)
  const [progress, { signal }] = [new Progress(systemClock, true), new AbortController()]
  await exportAll({ mail, writer: maildirWriter(to, mailboxes, () => {}), progress, signal }, mailboxes, to)
  const settings = [
    'set mbox_type=mbox',
    'set confirmappend=no',
    'set confirmcreate=no',
    'set wait_key=no',
    'set sleep_time=0',
    'set mark_old=no',
    'set sort=mailbox-order',
  ]
  const keys = sent.map((_, at) => `<jump>${at + 1}<enter><copy-message>${directory.join('mbox')}<enter>`).join('')
  await writeFile(directory.join('muttrc'), `${settings.join('\n')}\npush '${keys}<exit>'\n`)
  const env = { TERM: 'xterm', LINES: '40', COLUMNS: '120', HOME: directory.path, LC_ALL: 'C.UTF-8' }
  // A terminal that types nothing when our input ends: `script` would type Ctrl-D into mutt's prompts.
  const command = `exec mutt -n -F ${directory.join('muttrc')} -f ${to}`
  await run('python3', ['-c', 'import pty, sys; pty.spawn(["sh", "-c", sys.argv[1]])', command], { env })
  const found = await readAll(await openMbox(directory.join('mbox'), { messageLimit: 1_000_000 }))
  assert.deepEqual(found.map(({ content }) => content).sort(), sent.map((content) => content.toString('latin1')).sort())
  assert.equal(found.filter(({ flags }) => flags.includes('\\Answered')).length, Math.floor(sent.length / 2))
})
