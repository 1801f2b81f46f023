/** The POP3 clients that people and scripts really use, against the server with the memory store. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { BROKEN, MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { needs } from '../support/needs.ts'
import { type Ran, run } from '../support/peers/run.ts'
import { ALICE, PASSWORD, type Pop3Fixture, startPop3 } from '../support/pop3-server.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

/** Lines that begin with dots, long ones, and no end of line at the end of the last. */
const DOTS = `Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n${'.'.repeat(900)}\r\n${'line\r\n.\r\n'.repeat(20_000)}.`

let dir: TemporaryDirectory

before(async () => {
  dir = await temporaryDirectory('pop3-clients')
  await writeFile(dir.join('password'), PASSWORD, { mode: 0o600 })
})
after(() => dir[Symbol.asyncDispose]())

async function fresh(...messages: readonly (string | Buffer)[]): Promise<Pop3Fixture> {
  const server = await startPop3()
  await writeFile(dir.join('ca.pem'), server.ca)
  for (const message of messages) await server.desk.deliver(ALICE, message)
  return server
}

const client = (command: string, args: readonly string[], input = ''): Promise<Ran> =>
  run(command, args, { input, cwd: dir.path, env: { HOME: dir.path, FETCHMAILHOME: dir.path }, mayFail: true })

function succeeded(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.output)
  return ran
}

async function uidsIn(server: Pop3Fixture): Promise<number[]> {
  const mail = await server.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  return (await mail.list(inbox)).map(({ uid }) => uid)
}

/** What a client that keeps lines as its own system ends them makes of a message. */
const asFile = (message: string) => {
  const text = message.replaceAll('\r\n', '\n')
  return text.endsWith('\n') ? text : `${text}\n`
}

async function contentsOf(...folders: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const folder of folders)
    for (const name of await readdir(dir.join(folder))) found.push(await readFile(dir.join(folder, name), 'utf8'))
  return found.sort()
}

const POPLIB = `
import poplib, ssl, sys
implicit, port, ca = sys.argv[1] == 'implicit', int(sys.argv[2]), sys.argv[3]
password = open(sys.argv[4]).read()
context = ssl.create_default_context(cafile=ca)
if implicit:
    m = poplib.POP3_SSL('localhost', port, context=context)
else:
    m = poplib.POP3('localhost', port)
    assert 'STLS' in m.capa() and 'USER' not in m.capa()
    m.stls(context=context)
assert m.capa()['SASL'] == ['PLAIN', 'SCRAM-SHA-256'] and m.capa()['EXPIRE'] == ['NEVER']
m.utf8()
m.user('${ALICE}')
m.pass_(password)
count, size = m.stat()
listed = [int(line.split()[1]) for line in m.list()[1]]
assert count == len(listed) and size == sum(listed)
ids = [line.split()[1] for line in m.uidl()[1]]
assert len(set(ids)) == count
for number in range(1, count + 1):
    text = b'\\r\\n'.join(m.retr(number)[1]) + b'\\r\\n'
    sys.stdout.buffer.write(b'%d %d\\n' % (listed[number - 1], len(text)))
    header = m.top(number, 0)[1]
    assert header[-1] == b'' and b'' not in header[:-1], header
m.dele(1)
m.rset()
m.noop()
m.dele(count)
m.quit()
`

test('Python poplib, with STLS and over TLS', needs('python3'), async () => {
  await using server = await fresh(PLAIN, MULTIPART, DOTS, PLAIN, PLAIN)
  const lines = [PLAIN, MULTIPART, DOTS, PLAIN, PLAIN].map((message) => {
    const size = Buffer.byteLength(message)
    return `${size} ${message.endsWith('\r\n') ? size : size + 2}\n`
  })
  for (const way of ['stls', 'implicit']) {
    const port = String(way === 'stls' ? server.port : server.tlsPort)
    const ran = await client('python3', ['-', way, port, dir.join('ca.pem'), dir.join('password')], POPLIB)
    assert.equal(succeeded(ran).stdout.toString(), lines.join(''))
    lines.pop()
  }
  assert.deepEqual(await uidsIn(server), [1, 2, 3])
})

test('curl retrieves octet by octet', needs('curl'), async () => {
  await using server = await fresh(PLAIN, MULTIPART, DOTS, BROKEN)
  const config = `user = "${ALICE}:${PASSWORD}"\ncacert = "${dir.join('ca.pem')}"\nsilent\nshow-error\nmax-time = 60\n`
  const curl = async (url: string, ...args: string[]) =>
    succeeded(await client('curl', ['-K', '-', ...args, url], config)).stdout
  const tls = `pop3s://localhost:${server.tlsPort}`
  const stls = `pop3://localhost:${server.port}`
  assert.match((await curl(`${tls}/`)).toString(), /^1 \d+\r\n2 \d+\r\n3 \d+\r\n4 \d+\r\n$/)
  assert.match((await curl(`${tls}/`, '-X', 'UIDL')).toString(), /^1 \d+\.1\r\n2 \d+\.2\r\n/)
  for (const [url, args] of [
    [tls, []],
    [stls, ['--ssl-reqd']],
    [stls, ['--ssl-reqd', '--login-options', 'AUTH=PLAIN']],
  ] as const) {
    assert.equal((await curl(`${url}/1`, ...args)).toString(), PLAIN)
    assert.equal((await curl(`${url}/2`, ...args)).toString(), MULTIPART)
    assert.equal((await curl(`${url}/3`, ...args)).toString(), `${DOTS}\r\n`)
    assert.deepEqual(await curl(`${url}/4`, ...args), Buffer.concat([BROKEN, Buffer.from('\r\n')]))
  }
  const plain = await client('curl', ['-K', '-', `${stls}/1`], config)
  assert.notEqual(plain.code, 0)
  assert.equal(plain.stdout.length, 0)
  await curl(`${tls}/1`, '-X', 'DELE', '--list-only')
  assert.deepEqual(await uidsIn(server), [2, 3, 4])
})

test('fetchmail keeps and takes, with UIDL', needs('fetchmail'), async () => {
  await using server = await fresh(PLAIN, MULTIPART, DOTS)
  await mkdir(dir.join('fetched'))
  await writeFile(dir.join('deliver'), `#!/bin/sh\ncat >"${dir.join('fetched')}/$$"\n`, { mode: 0o700 })
  const fetch = async (port: number, ...options: string[]) => {
    const config = [
      `poll localhost service ${port} protocol pop3 uidl no dns no envelope`,
      `user "${ALICE}" password "${PASSWORD}"`,
      `sslcertck sslcertfile "${dir.join('ca.pem')}" mda "${dir.join('deliver')}" no rewrite`,
      ...options,
    ]
    await writeFile(dir.join('fetchmailrc'), `set invisible\nset no bouncemail\n${config.join('\n  ')}\n`, {
      mode: 0o600,
    })
    return await client('fetchmail', ['-v', '-f', dir.join('fetchmailrc'), '--nodetach', '--nosyslog'])
  }
  const first = succeeded(await fetch(server.tlsPort, 'ssl', 'keep'))
  const expected = [PLAIN, MULTIPART, DOTS].map(asFile)
  assert.deepEqual(await contentsOf('fetched'), expected.toSorted(), first.output)
  // What was seen is not fetched again: status 1 says that there is no new mail.
  assert.equal((await fetch(server.tlsPort, 'ssl', 'keep')).code, 1)
  const other = PLAIN.replace('Lunch', 'Dinner')
  await server.desk.deliver(ALICE, other)
  const upgraded = succeeded(await fetch(server.port, 'sslproto "TLS1.2+"', 'keep'))
  assert.match(upgraded.output, /STLS/)
  assert.deepEqual(await contentsOf('fetched'), [...expected, asFile(other)].toSorted())
  assert.deepEqual(await uidsIn(server), [1, 2, 3, 4])
  succeeded(await fetch(server.tlsPort, 'ssl', 'no keep', 'fetchall'))
  assert.deepEqual(await uidsIn(server), [])
  assert.equal((await fetch(server.tlsPort, 'ssl', 'no keep')).code, 1)
})

test('mpop pipelines', needs('mpop'), async () => {
  await using server = await fresh(PLAIN, MULTIPART, DOTS)
  await mkdir(dir.join('mpop/new'), { recursive: true })
  for (const folder of ['cur', 'tmp']) await mkdir(dir.join('mpop', folder))
  const fetch = async (port: number, starttls: 'on' | 'off', keep: 'on' | 'off') => {
    const config = {
      ...{ host: 'localhost', port, tls: 'on', tls_starttls: starttls, tls_trust_file: dir.join('ca.pem') },
      ...{ user: ALICE, passwordeval: `cat ${dir.join('password')}`, auth: starttls === 'on' ? 'plain' : 'user' },
      ...{ delivery: `maildir ${dir.join('mpop')}`, uidls_file: dir.join('uidls'), received_header: 'off', keep },
      ...{ pipelining: 'on' },
    }
    const lines = ['account default', ...Object.entries(config).map(([key, value]) => `${key} ${value}`)]
    await writeFile(dir.join('mpoprc'), `${lines.join('\n')}\n`, { mode: 0o600 })
    return succeeded(await client('mpop', [`--file=${dir.join('mpoprc')}`]))
  }
  await fetch(server.tlsPort, 'off', 'on')
  assert.deepEqual(await contentsOf('mpop/new'), [PLAIN, MULTIPART, DOTS].map(asFile).toSorted())
  await server.desk.deliver(ALICE, PLAIN)
  await fetch(server.port, 'on', 'off')
  assert.equal((await contentsOf('mpop/new')).length, 4)
  assert.deepEqual(await uidsIn(server), [])
})

test('getmail keeps, and takes', needs('getmail'), async () => {
  await using server = await fresh(PLAIN, MULTIPART)
  await mkdir(dir.join('getmail'))
  await writeFile(dir.join('keep'), `#!/bin/sh\ncat >"${dir.join('getmail')}/$$"\n`, { mode: 0o700 })
  const fetch = async (remove: boolean) => {
    const config = `[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = ${server.tlsPort}
username = ${ALICE}
password_command = ("cat", "${dir.join('password')}")
ca_certs = ${dir.join('ca.pem')}

[destination]
type = MDA_external
path = ${dir.join('keep')}
allow_root_commands = true

[options]
read_all = false
delete = ${remove}
delivered_to = false
received = false
`
    await writeFile(dir.join('getmailrc'), config, { mode: 0o600 })
    return succeeded(await client('getmail', ['--getmaildir', dir.path, '--rcfile', dir.join('getmailrc')]))
  }
  await fetch(false)
  await fetch(false)
  // It puts a field of its own in front.
  const expected = [PLAIN, MULTIPART].map((message) => `Return-Path: <unknown>\n${asFile(message)}`)
  assert.deepEqual(await contentsOf('getmail'), expected.toSorted())
  await fetch(true)
  assert.deepEqual(await uidsIn(server), [])
})
