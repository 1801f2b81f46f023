/** mutt and neomutt with their caches, offlineimap, fetchmail, curl, imaplib and imapflow on the whole provider, odd messages to the octet. */
import assert from 'node:assert/strict'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ImapFlow } from 'imapflow'
import { needs } from '../support/needs.ts'
import { ODD_LETTERS } from '../support/odd-letters.ts'
import { curlAppend, curlImap } from '../support/peers/curl.ts'
import { fetchmail } from '../support/peers/fetchmail.ts'
import { asSent } from '../support/peers/mbsync.ts'
import { mutt } from '../support/peers/mutt.ts'
import { offlineImap } from '../support/peers/offlineimap.ts'
import { run } from '../support/peers/run.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const NAMES = ['mutt', 'neomutt', 'offlineimap', 'fetchmail', 'scripts'] as const
type Name = (typeof NAMES)[number]
const account = (name: Name) => ({ address: `${name}@alpha.test`, password: `correct "horse" \\ of ${name}` })

const letter = (number: number, subject: string, parent: number | null, body: string) =>
  Buffer.from(
    [
      `From: Person ${number} <person-${number}@beta.test>`,
      'To: somebody@alpha.test',
      `Subject: ${subject}`,
      `Message-ID: <${number}@thread.test>`,
      ...(parent === null ? [] : [`In-Reply-To: <${parent}@thread.test>`, `References: <${parent}@thread.test>`]),
      `Date: Sun, 22 Nov 2026 08:${String(number).padStart(2, '0')}:00 +0000`,
      '',
      body,
      '',
    ].join('\r\n'),
  )

/** Two conversations, woven. */
const THREADS = [
  letter(1, 'Garden', null, 'The pear tree'),
  letter(2, 'Roof', null, 'It leaks'),
  letter(3, 'Re: Garden', 1, 'Cut it in winter'),
  letter(4, 'Re: Roof', 2, 'A tile slipped'),
  letter(5, 'Re: Garden', 3, 'And the plum?'),
]

describe('mail readers', needs('mutt', 'neomutt', 'offlineimap', 'fetchmail', 'curl', 'python3', 'script'), () => {
  let directory: TemporaryDirectory
  let provider: Provider

  before(async () => {
    directory = await temporaryDirectory('readers')
    for (const name of ['provider', ...NAMES]) await mkdir(directory.join(name))
    const accounts = NAMES.map(account)
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts })
    await provider.start()
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const target = (name: Name) => ({
    directory: directory.join(name),
    host: provider.host,
    port: provider.ports.imaps,
    user: account(name).address,
    password: account(name).password,
    ca: provider.ca,
  })
  const login = async (name: Name) => {
    const { host, port, user, password } = target(name)
    const auth = { user, pass: password }
    const flow = new ImapFlow({ host, port, auth, secure: true, tls: { rejectUnauthorized: false }, logger: false })
    await flow.connect()
    return flow
  }
  const fill = async (name: Name, mailbox: string, messages: readonly Buffer[]) => {
    const flow = await login(name)
    for (const message of messages) await flow.append(mailbox, message)
    await flow.logout()
  }
  /** Subject and flags of all messages, as the server has them. */
  const held = async (name: Name, mailbox: string): Promise<string[]> => {
    const flow = await login(name)
    const lock = await flow.getMailboxLock(mailbox, { readOnly: true })
    try {
      const all = await flow.fetchAll('1:*', { envelope: true, flags: true })
      return all.map(({ envelope, flags }) =>
        [envelope!.subject, ...[...flags!].filter((flag) => flag !== '\\Recent').sort()].join(' '),
      )
    } finally {
      lock.release()
      await flow.logout()
    }
  }

  for (const program of ['mutt', 'neomutt'] as const) {
    it(`${program} shows threads, searches on the server, flags, moves, and finds its cache again`, async () => {
      await fill(program, 'INBOX', THREADS)
      const cache = join(directory.join(program), 'cache')
      await mkdir(cache)
      const settings = [
        'set sort=threads',
        `set header_cache="${cache}"`,
        `set message_cachedir="${cache}"`,
        'set imap_condstore=yes',
        'set imap_qresync=yes',
        'set imap_check_subscribed=yes',
        'set mark_old=no',
        'set pipe_decode=no',
      ]
      const use = (keys: string) => mutt({ program, ...target(program), settings }, 'INBOX', keys)
      const copies = (name: string) => directory.join(program, name)
      // Threads stand together; the order of the copies is that of the list.
      const first = await use(
        `<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>${copies('all')}<enter><untag-pattern>~A<enter>` +
          `<limit>=b slipped<enter><flag-message><limit>~A<enter>` +
          `<limit>~s Garden ~b plum<enter><save-message><kill-line>=Archive<enter><limit>~A<enter><sync-mailbox><quit>`,
      )
      const subjects = [...(await readFile(copies('all'), 'utf8')).matchAll(/^Subject: (.*)$/gm)].map(
        ([, text]) => text,
      )
      assert.deepEqual(subjects, ['Garden', 'Re: Garden', 'Re: Garden', 'Roof', 'Re: Roof'], first.output)
      assert.deepEqual(
        await held(program, 'INBOX'),
        ['Garden', 'Roof', 'Re: Garden', 'Re: Roof \\Flagged'],
        first.output,
      )
      assert.deepEqual(await held(program, 'Archive'), ['Re: Garden'])
      // Another client changes what the cache holds.
      const flow = await login(program)
      const lock = await flow.getMailboxLock('INBOX')
      await flow.messageDelete('1')
      await flow.messageFlagsAdd('1', ['\\Flagged'])
      await flow.append('INBOX', letter(6, 'Cellar', null, 'Wet'), ['\\Flagged'])
      lock.release()
      await flow.logout()
      const second = await use(
        `<limit>~F<enter><tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>${copies('flagged')}<enter><untag-pattern>~A<enter><quit>`,
      )
      const flagged = [...(await readFile(copies('flagged'), 'utf8')).matchAll(/^Subject: (.*)$/gm)].map(
        ([, text]) => text,
      )
      assert.deepEqual(flagged, ['Roof', 'Re: Roof', 'Cellar'], second.output)
    })
  }

  it('offlineimap copies both ways, octet by octet', async () => {
    // It parses what it takes and writes it anew, so some lose their oddness there.
    const kept = ODD_LETTERS.filter(({ name }) => !['no-colon', 'unclosed-multipart'].includes(name))
    await fill(
      'offlineimap',
      'INBOX',
      kept.map(({ content }) => content),
    )
    const client = await offlineImap({ ...target('offlineimap'), certificate: provider.certificate })
    const sync = async () => {
      const ran = await client.sync()
      assert.equal(ran.code, 0, ran.output)
      return ran
    }
    await sync()
    const messages = await client.messages('INBOX')
    const sorted = (all: readonly Buffer[]) => all.map((content) => content.toString('latin1')).sort()
    assert.deepEqual(sorted(messages.map(({ content }) => asSent(content))), sorted(kept.map(({ content }) => content)))
    const one = messages.find(({ content }) => content.includes('Odd folded'))!
    const path = (...names: string[]) => join(client.path('INBOX'), ...names)
    await rename(path(one.isNew ? 'new' : 'cur', one.file), path('cur', one.file.replace(/:2,.*$|$/, ':2,FS')))
    await writeFile(
      path('new', '1800000000.1.here'),
      letter(1, 'From here', null, 'Up').toString().replaceAll('\r\n', '\n'),
    )
    await sync()
    const there = await held('offlineimap', 'INBOX')
    assert.ok(there.includes('Odd folded \\Flagged \\Seen'), there.join('\n'))
    assert.ok(
      there.some((line) => line.startsWith('From here')),
      there.join('\n'),
    )
    const flow = await login('offlineimap')
    const lock = await flow.getMailboxLock('INBOX')
    await flow.messageMove('1:3', 'Archive')
    lock.release()
    await flow.logout()
    await sync()
    assert.equal((await client.messages('Archive')).length, 3)
    assert.equal((await client.messages('INBOX')).length, kept.length - 2)
    // It has nothing more to do.
    assert.doesNotMatch((await sync()).output, /Copy message|Deleting|Adding flags/)
  })

  it('fetchmail takes the mail away', async () => {
    // It works by lines of eight thousand octets, and parses headers.
    const changed = ['no-colon', 'raw-8bit', 'no-final-crlf', 'unclosed-multipart', 'long-lines']
    const sent = ODD_LETTERS.filter(({ name }) => !changed.includes(name))
    await fill(
      'fetchmail',
      'INBOX',
      sent.map(({ content }) => content),
    )
    const options = { ...target('fetchmail'), name: 'mail.alpha.test' }
    const fetched = await fetchmail(options)
    assert.equal(fetched.code, 0, fetched.output)
    const sorted = (all: readonly Buffer[]) =>
      all.map((content) => content.toString('latin1').replaceAll('\r\n', '\n')).sort()
    assert.deepEqual(sorted(fetched.messages), sorted(sent.map(({ content }) => content)))
    assert.equal((await fetchmail(options)).code, 1)
  })

  it('imapflow reads every odd message to the octet, whole, in parts and in pieces', async () => {
    await fill(
      'scripts',
      'INBOX',
      ODD_LETTERS.map(({ content }) => content),
    )
    const flow = await login('scripts')
    const lock = await flow.getMailboxLock('INBOX', { readOnly: true })
    try {
      const all = await flow.fetchAll('1:*', { source: true, size: true, headers: true })
      for (const [index, { name, content }] of ODD_LETTERS.entries()) {
        const { source, size, headers } = all[index]!
        assert.ok(source!.equals(content), name)
        assert.equal(size, content.length)
        assert.ok(content.subarray(0, headers!.length).equals(headers!), name)
        const pieces: Buffer[] = []
        const { content: stream } = await flow.download(String(index + 1), undefined, { chunkSize: 20_000 })
        for await (const piece of stream!) pieces.push(piece as Buffer)
        assert.ok(Buffer.concat(pieces).equals(content), `${name} in pieces`)
      }
    } finally {
      lock.release()
      await flow.logout()
    }
  })

  it('curl reads, searches and appends', async () => {
    const curl = (path: string, request?: string) => curlImap(target('scripts'), path, request)
    for (const [index, { name, content }] of ODD_LETTERS.entries())
      assert.ok((await curl(`/INBOX;UID=${index + 1}`)).stdout.equals(content), name)
    const draft = letter(9, 'A draft', null, 'By curl')
    assert.equal((await curlAppend(target('scripts'), 'Drafts', draft)).code, 0)
    assert.deepEqual((await curl('/Drafts;UID=1')).stdout, draft)
    assert.match((await curl('/INBOX?SUBJECT%20"Odd%20folded"')).stdout.toString(), /^\* SEARCH 7\r\n/)
    assert.match((await curl('/INBOX', 'UID SEARCH BODY "see there"')).stdout.toString(), /^\* SEARCH 12\r\n/)
    assert.match((await curl('/', 'STATUS "Drafts" (MESSAGES UIDNEXT)')).stdout.toString(), /\(MESSAGES 1 UIDNEXT 2\)/)
  })

  it('imaplib reads, searches, sorts out and appends', async () => {
    const { host, port, user, password, ca } = target('scripts')
    const ran = await run('python3', ['-c', IMAPLIB, host, String(port), user, ca, String(ODD_LETTERS.length)], {
      input: password,
    })
    const lengths = ran.stdout.toString().trim().split(' ').map(Number)
    assert.deepEqual(
      lengths,
      ODD_LETTERS.map(({ content }) => content.length),
    )
  })
})

const IMAPLIB = `
import imaplib, ssl, sys
host, port, user, ca, count = sys.argv[1:]
with imaplib.IMAP4_SSL(host, int(port), ssl_context=ssl.create_default_context(cafile=ca)) as m:
    m.login(user, sys.stdin.read())
    assert m.select('INBOX')[1] == [count.encode()]
    lengths = []
    for number in range(1, int(count) + 1):
        typ, answer = m.fetch(str(number), '(BODY.PEEK[])')
        lengths.append(str(len(answer[0][1])))
    assert m.search(None, 'SUBJECT', 'folded')[1] == [b'7']
    assert m.uid('SEARCH', 'CHARSET', 'UTF-8', 'BODY', 'see')[1] == [b'12']
    assert m.create('"Py &AOk- x"')[0] == 'OK'
    assert m.uid('COPY', '7', '"Py &AOk- x"')[0] == 'OK'
    assert m.select('"Py &AOk- x"')[1] == [b'1']
    assert m.store('1', '+FLAGS', '(\\\\Deleted)')[0] == 'OK'
    assert m.expunge()[1] == [b'1']
    assert m.close()[0] == 'OK'
    assert m.delete('"Py &AOk- x"')[0] == 'OK'
    assert m.append('Drafts', '(\\\\Draft \\\\Seen)', imaplib.Time2Internaldate(1700000000), b'Subject: x\\r\\n\\r\\ny\\r\\n')[0] == 'OK'
    m.enable('UTF8=ACCEPT') if 'UTF8=ACCEPT' in m.capabilities else None
    assert m.status('Drafts', '(MESSAGES UIDNEXT)')[0] == 'OK'
print(' '.join(lengths))
`
