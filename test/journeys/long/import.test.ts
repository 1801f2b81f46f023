/** Moving in and out at the command line: mail of a Maildir comes in beside the running server, is interrupted, continued, and taken out again. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { exportMail } from '#cli/export.ts'
import { importInto } from '#cli/import.ts'
import type { Account } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { connectDialog } from '../../support/dialog.ts'
import { eventually } from '../../support/peers/run.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const anna = { address: 'anna@alpha.test', password: 'anna has a password' }
const program = fileURLToPath(new URL('../../../bin/letterlock.js', import.meta.url))
const COUNT = 400
const TIME = 1_600_000_000

describe('moving in and out', () => {
  let directory: TemporaryDirectory
  let provider: Provider
  const refused = (args: readonly string[], input = '') => provider.command(args, { mayFail: true, input })
  const take = <T>(from: string, ...more: string[]) =>
    provider.json<T>(['import', anna.address, '--from', from, ...more])
  const maildir = () => `maildir:${directory.join('old')}`

  before(async () => {
    directory = await temporaryDirectory('moving')
    for (const folder of ['old/cur', 'old/.Work.2020/cur']) await mkdir(directory.join(folder), { recursive: true })
    for (let at = 0; at < COUNT; at++) {
      const file = directory.join(at % 10 ? 'old/cur' : 'old/.Work.2020/cur', `${TIME + at}.x:2,${at % 2 ? 'S' : ''}`)
      await writeFile(file, `From: a@beta.test\nSubject: number ${at}\n\n${'body\n'.repeat(at)}`)
      await utimes(file, TIME + at, TIME + at)
    }
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts: [anna] })
    await provider.start()
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('tells a client that waits what came in, whether the import is killed or not, and stores nothing twice', async () => {
    const client = await connectDialog({ host: provider.host, port: provider.ports.imaps, tls: true })
    await client.play(`S: * OK …\nC: a LOGIN ${anna.address} "${anna.password}"\nS: a OK …`)
    const killed = spawn(
      process.execPath,
      [program, 'import', anna.address, '--from', maildir(), '--data', provider.data],
      {
        detached: true,
        stdio: 'ignore',
      },
    )
    const ended = once(killed, 'exit')
    const accounts = join(provider.data, 'accounts')
    const log = join(accounts, (await readdir(accounts))[0]!, 'mail.db-wal')
    await eventually('some of it is in', async () => ((await stat(log).catch(() => null))?.size ?? 0) > 300_000)
    process.kill(-killed.pid!, 'SIGKILL')
    await ended
    const counts = await take<{ imported: number; duplicates: number; failed: number; end: string }>(maildir())
    assert.deepEqual([counts.imported + counts.duplicates, counts.failed, counts.end], [COUNT, 0, 'complete'])
    assert.ok(counts.duplicates > 0, 'what was in before the kill is known')
    await client.play('C: b NOOP\nS: b OK …\nC: c STATUS INBOX (MESSAGES UNSEEN)')
    await client.play(`S: * STATUS "INBOX" (MESSAGES ${COUNT * 0.9} UNSEEN ${COUNT * 0.4})\nS: c OK …`)
    await client.play(`C: d STATUS Work/2020 (MESSAGES)\nS: * STATUS "Work/2020" (MESSAGES ${COUNT / 10})\nS: d OK …`)
    await client.play('C: e SELECT Drafts\nS: ...\nS: e OK …\nC: f IDLE\nS: + …')
    await writeFile(directory.join('one.mbox'), 'From a@beta.test Tue Nov  3 10:00:00 2026\nSubject: one\n\nbody\n')
    await take(`mbox:${directory.join('one.mbox')}`, '--to', 'Drafts')
    await client.play('S: * 1 EXISTS\nS: * 1 RECENT\nC: DONE\nS: f OK …')
    await client[Symbol.asyncDispose]()
  })

  it('goes out again as it came in, for its owner alone', async () => {
    const to = directory.join('out')
    const wrong = await refused(['export', anna.address, '--to', to, '--password-stdin'], 'not the password\n')
    assert.deepEqual([wrong.code, wrong.stderr], [1, 'letterlock: the password is wrong; nothing was exported\n'])
    await assert.rejects(stat(to), { code: 'ENOENT' })
    await provider.json(['export', anna.address, '--to', to, '--password-stdin'], { input: `${anna.password}\n` })
    const names = await readdir(join(to, 'cur'))
    assert.equal(names.length, COUNT * 0.9)
    const name = names.find((one) => one.startsWith(`${TIME + 7}.`))!
    assert.match(name, /:2,S$/)
    assert.equal((await stat(join(to, 'cur', name))).mtimeMs, (TIME + 7) * 1000)
    assert.equal(
      await readFile(join(to, 'cur', name), 'latin1'),
      `From: a@beta.test\r\nSubject: number 7\r\n\r\n${'body\r\n'.repeat(7)}`,
    )
    assert.equal((await stat(to)).mode & 0o777, 0o700)
    const log = openAuditLog({ dataDir: provider.data, clock: systemClock })
    const events = (await Array.fromAsync(log.entries())).filter(({ event }) => event.startsWith('mail.'))
    assert.deepEqual(
      events.map(({ event, actor }) => `${event} ${actor}`),
      ['mail.imported operator', 'mail.imported operator', 'mail.imported operator', 'mail.exported owner'],
    )
  })

  it('refuses in words what it cannot do', async () => {
    const place = { data: provider.data, json: true }
    const says = (from: string, words: RegExp) => assert.rejects(importInto(anna.address, { ...place, from }), words)
    await says('imaps://anna:hunter2@example.org/', /leave the password out of the URL/)
    await says('pst:file', /maildir:DIR, mbox:FILE/)
    await says(`maildir:${provider.data}`, /is no Maildir/)
    await assert.rejects(
      exportMail(anna.address, { ...place, sealed: true, to: directory.join('out') }),
      /is not empty/,
    )
    await using directoryOf = await openDirectory(join(provider.data, 'directory.db'))
    const [{ id }] = (await directoryOf.accounts()) as [Account]
    await using store = createSqlMailStore({ dataDir: provider.data, clock: systemClock, logger: silentLogger })
    await store.setQuota(id, 1024)
    const full = await refused(['import', anna.address, '--from', maildir(), '--to', 'Again', '--json'])
    assert.deepEqual([full.code, JSON.parse(full.stdout.toString()).end], [1, 'over-quota'])
    assert.match(full.stderr, /the mailbox is full; what is in stays/)
    await directoryOf.setState(id, 'suspended')
    await says(maildir(), /is suspended; letterlock account resume/)
  })
})
