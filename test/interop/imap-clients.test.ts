/** The clients that people and scripts really use, over TLS against the server with the memory store. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { ImapFlow } from 'imapflow'
import { BROKEN, MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, PASSWORD, startImap } from '../support/imap-server.ts'
import { needs } from '../support/needs.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

let dir: TemporaryDirectory

before(async () => {
  dir = await temporaryDirectory('imap-clients')
  await writeFile(dir.join('password'), PASSWORD, { mode: 0o600 })
})
after(() => dir[Symbol.asyncDispose]())

async function fresh(): Promise<ImapFixture> {
  const server = await startImap()
  await writeFile(dir.join('ca.pem'), server.ca)
  return server
}

interface Ran {
  readonly status: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a client with an empty environment; killed after two minutes. */
async function run(command: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(command, args, {
    cwd: dir.path,
    env: { PATH: process.env['PATH'], HOME: dir.path, TERM: 'dumb' },
    timeout: 120_000,
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }
}

function succeeded(ran: Ran): Ran {
  assert.equal(ran.status, 0, `${ran.stderr}\n${ran.stdout}`)
  return ran
}

test('curl lists, fetches, searches and appends', needs('curl'), async () => {
  await using server = await fresh()
  await server.desk.deliver(ALICE, MULTIPART)
  await writeFile(
    dir.join('curl.conf'),
    `user = "${ALICE}:${PASSWORD}"\ncacert = "${dir.join('ca.pem')}"\nsilent\nshow-error\n`,
  )
  const url = (path: string) => `imaps://localhost:${server.tlsPort}/${path}`
  const curl = async (...args: string[]) =>
    succeeded(
      await run('curl', ['-K', dir.join('curl.conf'), '--resolve', `localhost:${server.tlsPort}:127.0.0.1`, ...args]),
    ).stdout
  assert.deepEqual(await curl(url('INBOX;UID=1')), Buffer.from(MULTIPART))
  assert.equal((await curl(url('INBOX;UID=1;SECTION=2'))).toString(), 'iVBORw0KGgo=')
  assert.match((await curl(url(''))).toString(), /\* LIST \(\\HasNoChildren \\Sent\) "\/" "Sent"/)
  assert.match((await curl(url('INBOX?SUBJECT%20bilder'))).toString(), /^\* SEARCH 1\r\n/)
  await writeFile(dir.join('new.eml'), PLAIN)
  await curl('-T', dir.join('new.eml'), url('Drafts'))
  assert.deepEqual(await curl(url('Drafts;UID=1')), Buffer.from(PLAIN))
  const starttls = ['--ssl-reqd', `imap://localhost:${server.port}/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)`]
  const plain = await run('curl', [
    '-K',
    dir.join('curl.conf'),
    '--resolve',
    `localhost:${server.port}:127.0.0.1`,
    ...starttls,
  ])
  assert.match(succeeded(plain).stdout.toString(), /^Subject: =\?utf-8/)
})

/** What mbsync made of a message: a Maildir has LF line ends, and it marks what it copies with a field of its own. */
const crlf = (text: string) => text.replaceAll('\n', '\r\n').replace(/^X-TUID: .*\r\n/m, '')

test('mbsync copies both ways, octet by octet', needs('mbsync'), async () => {
  await using server = await fresh()
  const messages = [Buffer.from(PLAIN), Buffer.from(MULTIPART)]
  for (const message of messages) await server.desk.deliver(ALICE, message)
  await server.desk.deliver(ALICE, PLAIN, { mailbox: 'Archive', flags: ['\\Seen', '\\Flagged'] })
  await mkdir(dir.join('maildir'), { recursive: true })
  await writeFile(
    dir.join('mbsyncrc'),
    `IMAPAccount test
Host localhost
Port ${server.tlsPort}
User ${ALICE}
PassCmd "cat ${dir.join('password')}"
SSLType IMAPS
CertificateFile ${dir.join('ca.pem')}

IMAPStore far
Account test

MaildirStore near
Path ${dir.join('maildir')}/
Inbox ${dir.join('maildir')}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`,
  )
  const sync = async () => succeeded(await run('mbsync', ['-c', dir.join('mbsyncrc'), '-a']))
  await sync()
  const files = async (mailbox: string) => {
    const names: string[] = []
    for (const folder of ['new', 'cur'])
      for (const name of await readdir(dir.join('maildir', mailbox, folder)))
        names.push(dir.join('maildir', mailbox, folder, name))
    return names
  }
  const contents = await Promise.all((await files('INBOX')).map(async (file) => crlf(await readFile(file, 'utf8'))))
  assert.deepEqual(contents.sort(), messages.map(String).sort())
  assert.match((await files('Archive'))[0]!, /:2,FS$/)
  await mkdir(dir.join('maildir/INBOX/new'), { recursive: true })
  await writeFile(dir.join('maildir/INBOX/new/1.here:2,'), PLAIN.replace('Lunch', 'Dinner').replaceAll('\r\n', '\n'))
  await sync()
  const mail = await server.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const rows = await mail.list(inbox)
  assert.equal(rows.length, 3)
  const sent = Buffer.from((await mail.read(inbox, rows[2]!.uid))!).toString()
  assert.equal(sent.replace(/^X-TUID: .*\r\n/m, ''), PLAIN.replace('Lunch', 'Dinner'))
  await mail.setFlags(inbox, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(inbox)
  await sync()
  assert.equal((await files('INBOX')).length, 2)
})

test('mutt opens the mailbox and saves from it', needs('mutt', 'script'), async () => {
  await using server = await fresh()
  await server.desk.deliver(ALICE, PLAIN)
  await server.desk.deliver(ALICE, MULTIPART)
  await writeFile(
    dir.join('muttrc'),
    `set folder=imaps://localhost:${server.tlsPort}/
set imap_user=${ALICE}
set imap_pass="\`cat ${dir.join('password')}\`"
set ssl_ca_certificates_file=${dir.join('ca.pem')}
set ssl_usesystemcerts=no
set certificate_file=${dir.join('ca.pem')}
set confirmappend=no
set delete=yes
set mark_old=no
set move=no
set wait_key=no
set spoolfile=imaps://localhost:${server.tlsPort}/INBOX
push "<tag-pattern>~A<enter><tag-prefix><copy-message>${dir.join('saved.mbox')}<enter><untag-pattern>~A<enter><first-entry><flag-message><last-entry><delete-message><sync-mailbox><quit>"
`,
  )
  succeeded(await run('script', ['-qec', `mutt -F ${dir.join('muttrc')}`, '/dev/null']))
  const saved = await readFile(dir.join('saved.mbox'), 'utf8')
  assert.match(saved, /Noon at the usual place\?/)
  assert.match(saved, /iVBORw0KGgo=/)
  const mail = await server.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const rows = await mail.list(inbox)
  assert.deepEqual(
    rows.map(({ uid, flags }) => [uid, flags.includes('\\Flagged')]),
    [[1, true]],
  )
})

const IMAPLIB = `
import imaplib, ssl, sys
port, ca, password = int(sys.argv[1]), sys.argv[2], open(sys.argv[3]).read()
with imaplib.IMAP4_SSL('localhost', port, ssl_context=ssl.create_default_context(cafile=ca)) as m:
    m.login('${ALICE}', password)
    assert m.select('INBOX')[1] == [b'3']
    typ, found = m.search(None, 'UNSEEN')
    assert found == [b'1 2 3'], found
    for number in found[0].split():
        typ, answer = m.fetch(number, '(RFC822)')
        assert typ == 'OK'
        sys.stdout.buffer.write(str(len(answer[0][1])).encode() + b' ')
    assert m.store('1', '+FLAGS', '(\\\\Deleted $Done)')[0] == 'OK'
    assert m.copy('2', 'Archive')[0] == 'OK'
    assert m.expunge()[1] == [b'1']
    assert m.append('Drafts', '\\\\Draft', imaplib.Time2Internaldate(0), b'Subject: x\\r\\n\\r\\ny\\r\\n')[0] == 'OK'
    assert m.status('Drafts', '(MESSAGES UIDNEXT)')[1] == [b'"Drafts" (MESSAGES 1 UIDNEXT 2)']
    assert m.create('Caf&AOk-')[0] == 'OK'
    assert m.list()[0] == 'OK'
    assert m.uid('SEARCH', 'HEADER', 'SUBJECT', 'bilder')[1] == [b'2']
    assert m.noop()[0] == 'OK'
    assert m.close()[0] == 'OK'
`

test('Python imaplib', needs('python3'), async () => {
  await using server = await fresh()
  for (const message of [PLAIN, MULTIPART, BROKEN]) await server.desk.deliver(ALICE, message)
  const ran = succeeded(
    await run('python3', ['-', String(server.tlsPort), dir.join('ca.pem'), dir.join('password')], IMAPLIB),
  )
  assert.equal(ran.stdout.toString(), `${PLAIN.length} ${MULTIPART.length} ${BROKEN.length} `)
})

test('imapflow', { timeout: 120_000 }, async () => {
  await using server = await fresh()
  await server.desk.deliver(ALICE, MULTIPART)
  const client = new ImapFlow({
    host: 'localhost',
    port: server.tlsPort,
    secure: true,
    auth: { user: ALICE, pass: PASSWORD },
    tls: { ca: server.ca },
    logger: false,
  })
  await client.connect()
  try {
    const names = (await client.list()).map(({ path, specialUse }) => `${path} ${specialUse ?? ''}`)
    assert.ok(names.includes('Sent \\Sent') && names.includes('INBOX \\Inbox'), names.join())
    const lock = await client.getMailboxLock('INBOX')
    try {
      const message = await client.fetchOne('1', {
        envelope: true,
        bodyStructure: true,
        source: true,
        flags: true,
        size: true,
      })
      assert.ok(message)
      assert.equal(message.envelope?.subject, 'Grüße und Bilder')
      assert.equal(message.size, MULTIPART.length)
      assert.equal(message.source?.toString(), MULTIPART)
      assert.equal(message.bodyStructure?.childNodes?.[2]?.childNodes?.[0]?.type, 'multipart/alternative')
      const { content } = await client.download('1', '1')
      const text: Buffer[] = []
      for await (const chunk of content ?? []) text.push(chunk as Buffer)
      assert.equal(Buffer.concat(text).toString(), 'Straße und Käse')
      const exists = new Promise((resolve) => client.once('exists', resolve))
      const idle = client.idle()
      await server.desk.deliver(ALICE, PLAIN)
      await exists
      assert.deepEqual(await client.search({ subject: 'lunch' }, { uid: true }), [2])
      await idle
      assert.ok(await client.messageFlagsAdd('2', ['\\Flagged']))
      const moved = await client.messageMove('2', 'Archive')
      assert.ok(moved && moved.uidMap?.get(2) === 1)
      const appended = await client.append('Drafts', PLAIN, ['\\Draft'])
      assert.ok(appended && appended.uid === 1)
      await client.mailboxCreate('Entwürfe/alt')
      const status = () => client.status('Archive', { messages: true }) as Promise<{ messages?: number }>
      assert.equal((await status()).messages, 1)
    } finally {
      lock.release()
    }
  } finally {
    await client.logout()
  }
})
