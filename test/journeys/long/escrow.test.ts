/**
 * Escrow from the making of the master key to the opt-out, beside the running server. What is done with the master key happens in a
 * folder of its own that gets one file from the server and gives one back.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { needs } from '../../support/needs.ts'
import { curlAppend, curlImap } from '../../support/peers/curl.ts'
import { run } from '../../support/peers/run.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const program = fileURLToPath(new URL('../../../bin/letterlock.js', import.meta.url))
const address = 'ada@alpha.test'
const PASSWORD = 'first password'
const TICKET = 'court order 7/2026'
const message = Buffer.from('From: ada@alpha.test\r\nSubject: Before\r\n\r\nStill readable.\r\n')

interface Standing {
  readonly escrow: string
  readonly master: string | null
  readonly isConfigured: boolean
  readonly consent: { readonly decision: string; readonly signedBy: string | null } | null
  readonly openings: readonly { readonly ticket: string; readonly master: string }[]
}

describe('escrow', needs('curl'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let away: string
  let fingerprint: string

  /** On the other machine: no data directory, no server. */
  const elsewhere = (args: readonly string[], mayFail = false) =>
    run(process.execPath, [program, 'escrow', ...args], { cwd: away, mayFail })
  const shares = (...numbers: number[]) => ['--shares', ...numbers.map((n) => `master/share-${n}-of-3.txt`)]
  const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
  const withPassword = (args: readonly string[], password = PASSWORD) =>
    provider.command(['escrow', ...args, '--password-stdin'], { ...secrets(password), mayFail: true })
  const status = () => provider.json<Standing>(['escrow', 'status', address])
  const targetOf = (password: string) => ({
    host: provider.host,
    port: provider.ports.imaps,
    user: address,
    password,
    ca: provider.ca,
  })
  const reads = async (password: string, uid: number) => {
    const ran = await curlImap(targetOf(password), `/INBOX;UID=${uid}`)
    return ran.code === 0 ? ran.stdout.toString() : null
  }
  const recoverArgs = (name: string, ticket = TICKET) => [
    'recover',
    '--package',
    'request',
    '--secret',
    'master/escrow-secret.asc',
    '--ticket',
    ticket,
    '--out',
    name,
  ]

  before(async () => {
    directory = await temporaryDirectory('escrow')
    away = directory.join('away')
    await mkdir(away)
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('begins with a master key that is made elsewhere, for two of three people', async () => {
    const made = await elsewhere([
      'init',
      '--out',
      'master',
      '--shares',
      '3',
      '--threshold',
      '2',
      '--name',
      'Escrow of alpha.test',
      '--json',
    ])
    fingerprint = (JSON.parse(made.stdout.toString()) as { fingerprint: string }).fingerprint
    const files = (await readdir(join(away, 'master'))).sort()
    assert.deepEqual(files, [
      'escrow-master.asc',
      'escrow-secret.asc',
      'share-1-of-3.txt',
      'share-2-of-3.txt',
      'share-3-of-3.txt',
    ])
    for (const file of files) assert.equal((await stat(join(away, 'master', file))).mode & 0o077, 0)
    const secret = ['--secret', 'master/escrow-secret.asc']
    assert.match((await elsewhere(['check', ...secret, ...shares(3, 1)])).stdout.toString(), new RegExp(fingerprint))
    const one = await elsewhere(['check', ...secret, ...shares(2)], true)
    assert.equal(one.code, 1)
    assert.match(one.stderr, /2 shares are needed/)
  })

  it('is not offered until the operator names the master key, with its fingerprint', async () => {
    await provider.addAccount({ address, password: PASSWORD })
    await cp(join(away, 'master/escrow-master.asc'), join(provider.data, 'escrow-master.asc'))
    const wrong = { 'escrow.certificate': '"escrow-master.asc"', 'escrow.fingerprint': `"${'0'.repeat(40)}"` }
    await provider.configure(wrong)
    await assert.rejects(provider.start(), /master certificate has fingerprint/)
    assert.match((await withPassword(['consent', address, '--agree'])).stderr, /master certificate has fingerprint/)
    await provider.configure({ 'escrow.fingerprint': `"${fingerprint}"` })
    await provider.start()
    assert.equal((await curlAppend(targetOf(PASSWORD), 'INBOX', message)).code, 0)
  })

  it('is on for who agrees, and shows the text first', async () => {
    const unread = await withPassword(['consent', address])
    assert.equal(unread.code, 1)
    assert.match(unread.stderr, /MAY YOUR PROVIDER OPEN YOUR MAIL[\s\S]*Escrow of alpha\.test[\s\S]*--agree/)
    const agreed = await withPassword(['consent', address, '--agree'])
    assert.equal(agreed.code, 0, agreed.stderr)
    const { escrow, master, isConfigured, consent, openings } = await status()
    assert.deepEqual(
      { escrow, master, isConfigured, openings },
      { escrow: 'on', master: fingerprint, isConfigured: true, openings: [] },
    )
    assert.equal(consent?.decision, 'given')
    assert.match(consent.signedBy ?? '', /^[0-9A-F]{40}$/)
  })

  let code: string

  it('opens one account elsewhere, with a request and two shares', async () => {
    const request = join(away, 'request')
    await provider.command(['escrow', 'request', address, '--ticket', TICKET, '--out', request])
    const other = await elsewhere([...recoverArgs('grant', 'another ticket'), ...shares(1, 2), '--yes'], true)
    assert.match(other.stderr, /request is for the ticket/)
    const unasked = await elsewhere([...recoverArgs('grant'), ...shares(1, 2)], true)
    assert.match(unasked.stderr, /ada@alpha\.test[\s\S]*court order 7\/2026[\s\S]*--yes/)
    const opened = await elsewhere([...recoverArgs('grant'), ...shares(1, 2), '--yes', '--log', 'log', '--json'])
    code = (JSON.parse(opened.stdout.toString()) as { recoveryCode: string }).recoveryCode
    assert.match(await readFile(join(away, 'log/audit/log'), 'utf8'), /escrow\.opened/)
  })

  it('works when the grant is applied, and the owner is told at login and by mail', async () => {
    await provider.command(['escrow', 'apply', join(away, 'grant')])
    const lines = await loginLines(provider, PASSWORD)
    const alert = lines.find((line) => line.includes('[ALERT]'))
    assert.ok(alert?.includes(TICKET) && alert.includes(fingerprint), lines.join('\n'))
    assert.match((await reads(PASSWORD, 2)) ?? '', /opened with the escrow key[\s\S]*court order 7\/2026/)
    await provider.json(
      ['account', 'password', address, '--recovery', '--password-stdin'],
      secrets(code, 'new password'),
    )
    assert.equal(await reads('new password', 1), message.toString())
    const { openings, escrow } = await status()
    assert.equal(escrow, 'on')
    assert.deepEqual(
      openings.map(({ ticket, master }) => [ticket, master]),
      [[TICKET, fingerprint]],
    )
  })

  it('ends with the opt-out: the master key opens nothing any more, and all mail stays', async () => {
    const left = await withPassword(['opt-out', address, '--agree'], 'new password')
    assert.equal(left.code, 0, left.stderr)
    assert.match(left.stderr, /can\s+NEVER be read again/)
    assert.equal(await reads('new password', 1), message.toString())
    const { escrow, consent, openings } = await status()
    assert.deepEqual([escrow, consent?.decision, openings.length], ['off', 'withdrawn', 1])
    assert.match(consent?.signedBy ?? '', /^[0-9A-F]{40}$/, 'signed by a key that is retired by now')
    // The files as they are now, turned into a request all the same.
    const [, account] = /"account":"([^"]+)"/.exec(await readFile(join(away, 'request'), 'utf8'))!
    await forgeRequest(join(away, 'request'), join(provider.data, 'accounts', account!, 'keyslots.a'))
    const tried = await elsewhere([...recoverArgs('no-grant'), ...shares(2, 3), '--yes'], true)
    assert.match(tried.stderr, /has no escrow slot/)
  })

  it('is all in the audit log, in its order', async () => {
    const entries = await provider.json<{ event: string; detail: Record<string, unknown> }[]>([
      'audit',
      'list',
      '--account',
      address,
    ])
    const events = entries.map(({ event }) => event)
    assert.deepEqual(
      events.filter((event) => /^(escrow|consent|password)\./.test(event)),
      [
        'consent.given',
        'escrow.consented',
        'escrow.requested',
        'escrow.opened',
        'password.recovered',
        'consent.withdrawn',
        'escrow.opted-out',
      ],
    )
    assert.equal(entries.find(({ event }) => event === 'escrow.opened')?.detail['ticket'], TICKET)
  })
})

/** What the server says until the login is done. */
async function loginLines({ host, ports }: Provider, password: string): Promise<readonly string[]> {
  const socket = connect({ host, port: ports.imaps, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  let text = ''
  socket.write(`a LOGIN ${address} "${password}"\r\n`)
  for await (const chunk of socket) {
    text += chunk
    if (/^a /m.test(text)) break
  }
  socket.destroy()
  return text.split('\r\n')
}

/** The request of somebody who has the account's files, and not the server's consent. */
async function forgeRequest(path: string, tablePath: string): Promise<void> {
  const [line] = (await readFile(path, 'utf8')).split('\n')
  const table = (await readFile(tablePath)).toString('base64')
  const forged = JSON.stringify({ ...JSON.parse(line!), table })
  await writeFile(path, `${forged}\n${hash('sha256', forged)}\n`)
}
