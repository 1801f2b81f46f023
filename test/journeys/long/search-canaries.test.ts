/** Mail is indexed and searched, and no word of it, nor any that was searched for, is on the disk, in open files or in the log. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { test } from 'node:test'
import { formsOf, sweep } from '../../support/canary.ts'
import { eventually } from '../../support/peers/run.ts'
import { pidsOf } from '../../support/processes.ts'
import { type Provider, startProvider } from '../../support/provider.ts'
import { Reader } from '../../support/reader.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const alice = { address: 'alice@alpha.test', password: 'the password of alice' }
const MESSAGES = 30

const word = () => `w${randomBytes(8).toString('hex')}`
const canaries = {
  'a subject': word(),
  'a body': word(),
  'an attachment’s name': word(),
  'a phrase': `${word()} and ${word()}`,
  'a term that is nowhere': word(),
  'a term within a word': word(),
}

function letter(number: number): string {
  return [
    'From: bob@beta.test',
    `Subject: ${canaries['a subject']} ${number}`,
    'Content-Type: multipart/mixed; boundary=cut',
    '',
    '--cut',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(`${canaries['a body']}\r\n${canaries['a phrase']}\r\nx${canaries['a term within a word']}x`).toString(
      'base64',
    ),
    '--cut',
    `Content-Type: application/pdf; name="${canaries['an attachment’s name']}.pdf"`,
    '',
    'no text',
    '--cut--',
    '',
  ].join('\r\n')
}

const login = (provider: Provider) =>
  Reader.login({ host: provider.host, port: provider.ports.imaps, user: alice.address, password: alice.password })

async function matches(reader: Reader, criteria: string): Promise<number> {
  const answer = (await reader.command(`SEARCH ${criteria}`)).toString('latin1')
  return /^\* SEARCH(.*)\r$/m.exec(answer)![1]!.split(' ').filter(Boolean).length
}

/** Regular files that are open, deleted ones too: temporary files of databases are. */
async function openFiles(provider: Provider): Promise<string[]> {
  const forms = Object.entries(canaries).flatMap(([name, canary]) => formsOf(name, canary))
  const findings: string[] = []
  for (const pid of pidsOf([provider.pid]))
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const path = `/proc/${pid}/fd/${fd}`
      const target = await readlink(path).catch(() => '')
      if (!target.startsWith('/') || target.startsWith('/dev') || target.startsWith('/proc')) continue
      const content = await readFile(path).catch(() => Buffer.alloc(0))
      for (const form of forms) if (content.includes(form.octets)) findings.push(`${form.name}: in ${target}`)
    }
  return findings
}

test('an index leaves nothing in clear behind', async () => {
  await using directory = await temporaryDirectory('search-canaries')
  await using provider = await startProvider({
    directory: directory.path,
    domain: 'alpha.test',
    accounts: [alice],
    settings: { 'log.level': '"debug"' },
  })
  const clean = async (when: string) => {
    const findings = await sweep({ canaries, directories: [directory.path], processes: [provider.pid] })
    assert.deepEqual([...findings, ...(await openFiles(provider))], [], when)
  }
  {
    await using reader = await login(provider)
    for (let number = 0; number < MESSAGES; number++) {
      const text = letter(number)
      await reader.command(`APPEND INBOX {${text.length}+}\r\n${text}`)
    }
    const indexed = async () => {
      const { indexing } = await provider.json<{ indexing: { indexed: number } }>(['account', 'show', alice.address])
      return indexing.indexed === MESSAGES
    }
    await eventually('all of it is indexed', indexed)
    await reader.command('EXAMINE INBOX')
    assert.equal(await matches(reader, `SUBJECT ${canaries['a subject']}`), MESSAGES)
    assert.equal(await matches(reader, `BODY ${canaries['a body']}`), MESSAGES)
    assert.equal(await matches(reader, `BODY "${canaries['a phrase']}"`), MESSAGES)
    assert.equal(await matches(reader, `TEXT ${canaries['an attachment’s name']}.PDF`), MESSAGES)
    assert.equal(await matches(reader, `TEXT ${canaries['a term within a word']}`), MESSAGES)
    assert.equal(await matches(reader, `TEXT ${canaries['a term that is nowhere']}`), 0)
    await clean('while the index is in memory')
  }
  {
    await using reader = await login(provider)
    await reader.command('EXAMINE INBOX')
    assert.equal(await matches(reader, `BODY "${canaries['a phrase']}"`), MESSAGES, 'read back from the disk')
  }
  const { stdout } = await provider.command(['account', 'show', alice.address])
  assert.match(stdout.toString(), /summaries *\d+ of 30 messages/)
  assert.match(stdout.toString(), /search index *30 of 30 messages$/m)
  await provider.stop()
  await clean('after all')
})
