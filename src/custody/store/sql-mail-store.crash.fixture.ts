/** Appends without end and prints the first line of each message once it is acknowledged. Arguments: folder, account, round. */
import { writeSync } from 'node:fs'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

const [dataDir, account, round] = process.argv.slice(2) as [string, string, string]
const store = createSqlMailStore({ dataDir, clock: systemClock, logger: silentLogger })
await store.create(account)
let count = 0

async function appendForever(): Promise<never> {
  for (;;) {
    const number = ++count
    const size = number % 7 === 0 ? 150_000 : 200 + ((number * 977) % 20_000)
    const content = Buffer.alloc(size, 'x')
    const key = `${round}/${number}/${size}`
    content.write(`${key}\n`)
    const message = { content, summary: Buffer.from(key), internalDate: 0, flags: [], deliveryKey: key }
    await store.append(account, 'INBOX', message)
    // What was acknowledged before must not be kept back in a buffer.
    writeSync(1, `${key}\n`)
    // A retry of what may have been taken already.
    if (number % 5 === 0) await store.append(account, 'INBOX', message)
  }
}

await Promise.all(Array.from({ length: 8 }, appendForever))
