/**
 * kill -9 while mail is coming in: what was acknowledged is there, once. It shows that acknowledged is committed; that
 * committed survives a power cut rests on the syncs that sqlite.test.ts counts.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

const ACCOUNT = 'crash00000000001'
const WRITE = 'write-until-killed'

/** Appends without end and prints the first line of each message once it is acknowledged. */
async function writeUntilKilled(dataDir: string, round: string): Promise<void> {
  const store = createSqlMailStore({ dataDir, clock: systemClock, logger: silentLogger })
  await store.create(ACCOUNT)
  let count = 0
  const appendForever = async () => {
    for (;;) {
      const number = ++count
      const size = number % 7 === 0 ? 150_000 : 200 + ((number * 977) % 20_000)
      const content = Buffer.alloc(size, 'x')
      const key = `${round}/${number}/${size}`
      content.write(`${key}\n`)
      const message = { content, summary: Buffer.from(key), internalDate: 0, flags: [], deliveryKey: key }
      await store.append(ACCOUNT, 'INBOX', message)
      // What was acknowledged before must not be kept back in a buffer.
      writeSync(1, `${key}\n`)
      // A retry of what was taken already.
      if (number % 5 === 0) await store.append(ACCOUNT, 'INBOX', message)
    }
  }
  await Promise.all(Array.from({ length: 8 }, appendForever))
}

/** Runs the writer until it has acknowledged `enough`, kills it, and answers every key that it acknowledged. */
async function appendUntilKilled(dataDir: string, round: number, enough: number): Promise<Set<string>> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), WRITE, dataDir, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (output.split('\n').length > enough) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.on('close', resolve))
  return new Set(output.split('\n').slice(0, -1))
}

const [task, dataDir, round] = process.argv.slice(2)
if (task === WRITE) await writeUntilKilled(dataDir!, round!)

test('every acknowledged message is there once after kill -9', async () => {
  await using directory = await temporaryDirectory('crash')
  const acknowledged = new Set<string>()
  for (const [round, enough] of [40, 3, 90].entries())
    for (const key of await appendUntilKilled(directory.path, round, enough)) acknowledged.add(key)
  assert.ok(acknowledged.size >= 130)
  await using store = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
  await using mail = await store.open(ACCOUNT, null)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const found = new Map<string, number>()
  const rows = await mail.list(inbox)
  for (const { uid } of rows) {
    const octets = Buffer.from((await mail.read(inbox, uid))!)
    const key = octets.toString('latin1', 0, octets.indexOf(10))
    found.set(key, (found.get(key) ?? 0) + 1)
    assert.equal(octets.byteLength, Number(key.split('/')[2]), 'whole')
  }
  for (const key of acknowledged) assert.equal(found.get(key), 1, key)
  assert.equal(Math.max(...found.values()), 1)
  const status = await mail.status(inbox)
  assert.equal(status.messages, rows.length)
  assert.equal(status.uidNext, rows.at(-1)!.uid + 1)
})
