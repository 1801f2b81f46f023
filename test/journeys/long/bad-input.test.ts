/** What operators and disks do wrong: each has a message a person can act on, and the rest goes on. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { needs } from '../../support/needs.ts'
import { curlImap } from '../../support/peers/curl.ts'
import { run } from '../../support/peers/run.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { openLine, Refused } from '../../support/smtp-line.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }
const ben = { address: 'ben@alpha.test', password: 'the password of ben' }

/** Delivers one message to one recipient; the refusal when there is one. */
async function deliver(provider: Provider, to: string, size: number): Promise<string | null> {
  const line = await openLine(provider.host, provider.ports.smtp)
  try {
    await line.say('', '220')
    await line.say('EHLO client.test\r\n', '250')
    await line.say(`MAIL FROM:<carol@beta.test>\r\nRCPT TO:<${to}>\r\nDATA\r\n`, '250', '250', '354')
    const text = `${'x'.repeat(76)}\r\n`.repeat(Math.ceil(size / 78))
    await line.say(`From: carol@beta.test\r\nSubject: Size ${size}\r\n\r\n${text}.\r\n`, '250')
    return null
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  } finally {
    line.end()
  }
}

const login = (provider: Provider, account: typeof ann) => ({
  host: provider.host,
  port: provider.ports.imaps,
  user: account.address,
  password: account.password,
  ca: provider.ca,
})

async function accountFolder(provider: Provider, address: string): Promise<string> {
  const { id } = await provider.json<{ id: string }>(['account', 'show', address])
  return join(provider.data, 'accounts', id)
}

describe('what an operator does wrong', () => {
  let directory: TemporaryDirectory
  let provider: Provider

  before(async () => {
    directory = await temporaryDirectory('bad')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts: [ann, ben] })
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('names all mistakes of the configuration at once, each with its line', async () => {
    const file = join(provider.data, 'letterlock.toml')
    const right = await readFile(file)
    await writeFile(file, 'bind = 25\nunknown = 1\n\n[limits]\nmessageSize = "big"\n')
    const ran = await provider.command(['serve'], { mayFail: true })
    assert.equal(ran.code, 1)
    for (const [line, key] of [
      [1, 'hostname'],
      [1, 'bind'],
      [2, 'unknown'],
      [5, 'messageSize'],
    ] as const) {
      assert.match(ran.stderr, new RegExp(`letterlock\\.toml:${line}: [\\w.]*${key}`))
    }
    await writeFile(file, 'hostname = "mail.alpha.test\n')
    assert.match((await provider.command(['serve'], { mayFail: true })).stderr, /letterlock\.toml:1: this is no TOML/)
    await rm(file)
    const missing = await provider.command(['serve'], { mayFail: true })
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /^letterlock: .*letterlock init/m)
    await writeFile(file, right)
  })

  it('says which port is taken, and ends', async () => {
    const other = createServer().listen(provider.ports.imaps, provider.host)
    await once(other, 'listening')
    const ran = await provider.command(['serve'], { mayFail: true })
    other.close()
    assert.equal(ran.code, 1)
    assert.match(ran.stderr, new RegExp(`^letterlock: .*${provider.ports.imaps}`, 'm'))
    assert.doesNotMatch(ran.stderr, /^ +at /m)
  })

  it('is told what is wrong with the file of a key, before a password is asked for', async () => {
    const file = join(directory.path, 'key.asc')
    const { certificate } = await provider.json<{ certificate: string }>(['key', 'export', ann.address, '--public'])
    const secret = certificate.replaceAll('PUBLIC KEY', 'PRIVATE KEY')
    for (const [text, options, why] of [
      [`${certificate}${certificate}`, [], /more than one key\. Export one/],
      [secret, ['--device'], /has the secret key, which is to stay on your device/],
    ] as const) {
      await writeFile(file, text)
      const ran = await provider.command(['key', 'import', ann.address, file, ...options], { mayFail: true })
      assert.equal(ran.code, 1)
      assert.match(ran.stderr, why)
    }
    const ran = await provider.command(['key', 'import', ann.address, '-'], { mayFail: true })
    assert.equal(ran.code, 2)
    assert.match(ran.stderr, /name the key as a file/)
  })

  it('sees the escrow of the others when the keyslots of one account are damaged', async () => {
    const folder = await accountFolder(provider, ann.address)
    const keyslots = ['a', 'b'].map((copy) => join(folder, `keyslots.${copy}`))
    const whole = await Promise.all(keyslots.map((path) => readFile(path)))
    for (const path of keyslots) await writeFile(path, 'damaged')
    const ran = await provider.command(['escrow', 'status'], { mayFail: true })
    for (const [index, path] of keyslots.entries()) await writeFile(path, whole[index]!)
    assert.equal(ran.code, 1)
    assert.match(ran.stdout.toString(), /^ben@alpha\.test {2}off/m)
    assert.match(ran.stderr, /ann@alpha\.test: both keyslot files .* backup/)
  })

  it('leaves the data of a newer version alone', async () => {
    const present = await readdir(provider.data)
    const version = await readFile(join(provider.data, 'version'))
    await writeFile(join(provider.data, 'version'), '99\n')
    for (const args of [['serve'], ['account', 'list']]) {
      const ran = await provider.command(args, { mayFail: true })
      assert.equal(ran.code, 1)
      assert.match(ran.stderr, /newer version of Letterlock/)
    }
    assert.deepEqual(await readdir(provider.data), present)
    await writeFile(join(provider.data, 'version'), version)
  })

  it('serves the others when the file of one account is damaged', needs('curl'), async () => {
    const folder = await accountFolder(provider, ann.address)
    for (const name of await readdir(folder)) {
      if (name.includes('.db')) await writeFile(join(folder, name), Buffer.alloc(8192, 'no database'))
    }
    await provider.start()
    assert.match((await deliver(provider, ann.address, 1000)) ?? 'taken', /^4\d\d /)
    assert.equal(await deliver(provider, ben.address, 1000), null)
    assert.ok((await curlImap(login(provider, ben), '/INBOX;UID=1')).stdout.includes('Subject: Size 1000'))
    assert.notEqual((await curlImap(login(provider, ann), '/INBOX;UID=1')).code, 0)
    assert.match(await provider.log(), new RegExp(folder.replace(directory.path, '')))
  })
})

describe('what a disk does', () => {
  it('answers 452 when the disk is full, and recovers alone', needs('root', 'mounting', 'curl'), async () => {
    await using directory = await temporaryDirectory('bad')
    const disk = directory.join('disk')
    await mkdir(disk)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'letterlock-test', disk])
    try {
      await using provider = await makeProvider({ directory: disk, domain: 'alpha.test', accounts: [ann] })
      await provider.start()
      assert.equal(await deliver(provider, ann.address, 20_000), null)
      const { size } = await fill(join(disk, 'ballast'))
      assert.ok(size > 0)
      let refusal: string | null = null
      let taken = 1
      while (refusal === null && taken < 200) {
        refusal = await deliver(provider, ann.address, 300_000)
        if (refusal === null) taken++
      }
      assert.match(refusal ?? 'never full', /^452 4\.3\.1/)
      await rm(join(disk, 'ballast'))
      assert.equal(await deliver(provider, ann.address, 300_000), null)
      const status = await curlImap(login(provider, ann), '/', 'STATUS INBOX (MESSAGES)')
      assert.match(status.output, new RegExp(`MESSAGES ${taken + 1}\\)`))
    } finally {
      await run('umount', ['-l', disk])
    }
  })
})

/** Takes all space that is left. */
async function fill(path: string): Promise<{ size: number }> {
  try {
    await writeFile(path, Buffer.alloc(64 * 1024 * 1024))
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
  return await stat(path)
}
