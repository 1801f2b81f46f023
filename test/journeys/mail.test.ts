/**
 * The main journey: mail comes in by SMTP, is sealed to its owner, is read by three mail clients, is answered to the world, and what
 * cannot be delivered comes back. Then nothing of it may be found in clear, and the exported key must open what is stored.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { secretNumbers, sweep } from '../support/canary.ts'
import { letters, traceOf } from '../support/letters.ts'
import { needs } from '../support/needs.ts'
import { curlAppend, curlImap, curlSubmit } from '../support/peers/curl.ts'
import { sqDecrypt, sqopDecrypt, startGpg } from '../support/peers/gpg.ts'
import { type Knot, startKnot } from '../support/peers/knot.ts'
import type { MaildirMessage } from '../support/peers/maildir.ts'
import { asSent, mbsync } from '../support/peers/mbsync.ts'
import { mutt } from '../support/peers/mutt.ts'
import { type Postfix, startPostfix } from '../support/peers/postfix.ts'
import { eventually } from '../support/peers/run.ts'
import { swaks } from '../support/peers/swaks.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { Reader } from '../support/reader.ts'
import { sealedBlobs } from '../support/stored.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const token = () => randomBytes(8).toString('hex')
const subject = `Subject-${token()}`
const body = `Body-${token()} contact-${token()}@canary.example`
const answer = `Answer-${token()}`
const alice = { address: 'alice@alpha.test', password: `Password-${token()} ü"\\` }
const bob = { address: 'bob@alpha.test', password: `Password-${token()}` }
const sent = letters('Carol <carol@beta.test>', alice.address, subject, body)

const tools = ['swaks', 'curl', 'mbsync', 'mutt', 'script', 'gpg', 'sq', 'sqop', 'postfix', 'knotd', 'root']

describe('mail in, sealed, read, answered, returned', needs(...tools), () => {
  let directory: TemporaryDirectory
  let postfix: Postfix
  let knot: Knot
  let provider: Provider

  const imaps = (account = alice) => ({
    host: provider.host,
    port: provider.ports.imaps,
    user: account.address,
    password: account.password,
    ca: provider.ca,
  })
  const inbox = async (account = alice): Promise<Buffer[]> => {
    await using reader = await Reader.login(imaps(account))
    return (await reader.count()) === 0 ? [] : await reader.fetch('1:*')
  }
  const arrives = (what: string, account: typeof alice, wanted: (message: string) => boolean) =>
    eventually(what, async () => (await inbox(account)).map(String).find(wanted))
  const composed = (from: string, to: string, text: string) =>
    Buffer.from(`From: ${from}\r\nTo: ${to}\r\nSubject: ${subject}\r\n\r\n${text}\r\n`)

  before(async () => {
    directory = await temporaryDirectory('mail', true)
    for (const name of ['postfix', 'knot', 'mbsync', 'provider']) await mkdir(directory.join(name))
    postfix = await startPostfix({
      directory: directory.join('postfix'),
      domains: ['beta.test'],
      addresses: ['carol@beta.test'],
      deliverTo: 'maildir',
      tls: true,
    })
    knot = await startKnot(directory.join('knot'), {
      test: 'hostmaster A 127.0.0.1',
      'beta.test': `@ MX 10 mx\nmx A ${postfix.host}`,
    })
    provider = await makeProvider({
      directory: directory.join('provider'),
      domain: 'alpha.test',
      accounts: [alice, bob],
      settings: { 'dns.servers': `["${knot.host}:${knot.port}"]`, 'relay.port': String(postfix.port) },
    })
    await provider.start()
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await knot?.[Symbol.asyncDispose]()
    await postfix?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('takes awkward messages from swaks over STARTTLS', async () => {
    const mx = { host: provider.host, port: provider.ports.smtp, tls: 'starttls' } as const
    for (const { name, content } of sent) {
      const ran = await swaks({ ...mx, from: 'carol@beta.test', to: [alice.address], message: content })
      assert.equal(ran.code, 0, `${name}: ${ran.output}`)
    }
    const unknown = await swaks({
      ...mx,
      from: 'carol@beta.test',
      to: ['nobody@alpha.test'],
      message: sent[0]!.content,
    })
    assert.match(unknown.output, /<[~*]\* 550 5\.1\.1/)
    const foreign = await swaks({ ...mx, from: 'carol@beta.test', to: ['dave@gamma.test'], message: sent[0]!.content })
    assert.match(foreign.output, /<[~*]\* 550 5\.7\.1/)
  })

  it('gives them to mbsync octet for octet, with only trace fields on top', async () => {
    const client = await mbsync({ directory: directory.join('mbsync'), ...imaps(), certificate: provider.certificate })
    const ran = await client.sync()
    assert.equal(ran.code, 0, ran.output)
    const stored = await client.messages('INBOX')
    assert.equal(stored.length, sent.length)
    for (const { name, content } of sent) {
      const traces = stored.map((message: MaildirMessage) => traceOf(asSent(message.content), content))
      const trace = traces.find((one) => one !== null)
      assert.match(
        trace ?? `${name} is not there`,
        /^Return-Path: <carol@beta\.test>\r\n(?:[\w-]+: .*\r\n(?:\s.*\r\n)*)*$/,
      )
    }
  })

  it('gives them to curl and to mutt', async () => {
    const first = (await curlImap(imaps(), '/INBOX;UID=1')).stdout
    assert.notEqual(traceOf(first, sent[0]!.content), null, first.toString())
    const copy = directory.join('copy')
    const ran = await mutt(
      { directory: directory.path, ...imaps() },
      'INBOX',
      `<first-entry><copy-message><kill-line>${copy}<enter><quit>`,
    )
    assert.equal(ran.code, 0, ran.output)
    const copied = await readFile(copy, 'utf8')
    assert.ok(copied.includes(subject) && copied.includes(body), ran.output)
  })

  it('refuses a wrong password and an unknown account in the same words', async () => {
    const wrong = await curlImap({ ...imaps(), password: 'wrong' }, '/INBOX;UID=1')
    const unknown = await curlImap({ ...imaps(), user: 'nobody@alpha.test' }, '/INBOX;UID=1')
    assert.equal(wrong.code, 67, wrong.output)
    assert.equal(unknown.output, wrong.output)
  })

  it('submits to the world and to a neighbour, and keeps a copy in Sent', async () => {
    const message = composed(alice.address, `carol@beta.test, ${bob.address}`, answer)
    const ran = await swaks({
      host: provider.host,
      port: provider.ports.submission,
      tls: 'starttls',
      from: alice.address,
      to: ['carol@beta.test', bob.address],
      login: { user: alice.address, password: alice.password },
      message,
    })
    assert.equal(ran.code, 0, ran.output)
    const outside = await eventually('the mail at Postfix', async () => (await postfix.maildir())[0])
    assert.ok(outside.content.includes(answer))
    assert.match(outside.content.toString(), /by postfix\.test \(Postfix\) with ESMTPS/)
    assert.doesNotMatch(outside.content.toString(), /BEGIN PGP/)
    await arrives("the mail in the neighbour's inbox", bob, (text) => text.includes(answer))
    const kept = (await curlImap(imaps(), '/Sent;UID=1')).stdout.toString()
    assert.ok(kept.includes(answer) && kept.includes('To: carol@beta.test'), kept)
  })

  it("refuses to submit under somebody else's name, and without a login", async () => {
    const target = { ...imaps(), port: provider.ports.submissions }
    const forged = await curlSubmit(
      target,
      bob.address,
      ['carol@beta.test'],
      composed(bob.address, 'carol@beta.test', answer),
    )
    assert.notEqual(forged.code, 0, forged.output)
    const port = { host: provider.host, port: provider.ports.submission, tls: 'starttls' } as const
    const anonymous = await swaks({ ...port, from: alice.address, to: ['carol@beta.test'], message: sent[0]!.content })
    assert.match(anonymous.output, /<[~*]\* 530 5\.7\.0/)
  })

  it('returns what cannot be delivered, with the reason', async () => {
    const target = { ...imaps(), port: provider.ports.submissions }
    for (const to of ['unknown@beta.test', 'dave@nowhere.test']) {
      const ran = await curlSubmit(target, alice.address, [to], composed(alice.address, to, answer))
      assert.equal(ran.code, 0, ran.output)
      const report = await arrives(
        `the report about ${to}`,
        alice,
        (text) => /report-type="?delivery-status/i.test(text) && text.includes(to),
      )
      assert.match(report, /^Return-Path: <>\r\n/m)
      assert.match(report, new RegExp(`^Final-Recipient: rfc822; ?${to}\r$`, 'm'))
      assert.match(report, /^Action: failed\r$/m)
      assert.match(report, to.startsWith('unknown') ? /^Status: 5\.1\.1\r$/m : /^Status: 5\.1\.2\r$/m)
      if (to.startsWith('unknown')) assert.match(report, /^Diagnostic-Code: smtp; ?550 5\.1\.1/m)
    }
  })

  it('keeps everything over a stop and a start', async () => {
    const messages = await inbox()
    await curlAppend(imaps(), 'Drafts', composed(alice.address, bob.address, answer))
    assert.equal(await provider.stop(), 0)
    await provider.start()
    assert.deepEqual(await inbox(), messages)
    assert.ok((await curlImap(imaps(), '/Drafts;UID=1')).stdout.includes(answer))
  })

  it('stores what gpg and sq open with the exported key, to the exact octets', async () => {
    const passphrase = `Passphrase-${token()}`
    const [keyFile, sealed] = [directory.join('key.asc'), directory.join('sealed')]
    const secrets = { input: `${alice.password}\n${passphrase}\n` }
    await provider.command(['key', 'export', alice.address, '--out', keyFile, '--password-stdin'], secrets)
    await provider.command(['export', alice.address, '--sealed', '--to', sealed])
    const key = await readFile(keyFile)
    await using gpg = await startGpg()
    await gpg.run(['--import'], { input: key, passphrase })
    const files = (await readdir(join(sealed, 'INBOX'))).map((name) => join(sealed, 'INBOX', name))
    const opened: Buffer[] = []
    for (const file of files) opened.push(await gpg.decrypt(await readFile(file), passphrase))
    for (const { name, content } of sent) {
      assert.ok(
        opened.some((message) => traceOf(message, content) !== null),
        `${name} did not come back`,
      )
    }
    const one = await readFile(files[0]!)
    assert.deepEqual(await sqopDecrypt(key, passphrase, one), opened[0])
    assert.deepEqual(await sqDecrypt(key, passphrase, one), opened[0])

    // The disk itself, without our program: rows and files, whatever they are called.
    const decrypted = new Set<string>()
    for (const blob of await sealedBlobs(provider.data)) {
      const ran = await gpg.run(['--decrypt'], { input: blob, passphrase, mayFail: true })
      if (ran.code === 0) decrypted.add(ran.stdout.toString('latin1'))
    }
    for (const message of opened)
      assert.ok(decrypted.has(message.toString('latin1')), 'a message is not stored as it is exported')
    const planted = await canaries(key.toString(), passphrase)
    const provided = { directories: [directory.join('provider')], processes: [provider.pid] }
    assert.deepEqual(await sweep({ canaries: planted, ...provided }), [])
    // The sweep does find what is there: in the copies that the mail clients made.
    const found = await sweep({ canaries: planted, directories: [directory.join('mbsync')], processes: [] })
    for (const name of ['subject', 'body', 'address in the body', 'password of alice']) {
      assert.ok(
        found.some((finding) => finding.startsWith(`${name}: `)),
        name,
      )
    }
  })

  async function canaries(key: string, passphrase: string): Promise<Record<string, string | Uint8Array>> {
    const recovery = Object.fromEntries(
      [...provider.recoveryCodes].flatMap(([address, code]) => [
        [`recovery code of ${address}`, code],
        [`recovery code of ${address}, without hyphens`, code.replaceAll('-', '')],
      ]),
    )
    const secrets = await secretNumbers(key, passphrase)
    assert.ok(Object.keys(secrets).length >= 4, 'a signing and an encryption key, in both octet orders')
    return {
      subject,
      body,
      'address in the body': body.split(' ')[1]!,
      answer,
      'password of alice': alice.password,
      'password of bob': bob.password,
      passphrase,
      ...recovery,
      ...secrets,
    }
  }
})
