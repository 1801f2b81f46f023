/** Whatever is asked has an answer: nothing breaks the server, and the next command is understood. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Command } from '#formats/imap/command.ts'
import { writeCommand } from '#formats/imap/command-writer.ts'
import { command } from '../support/arbitrary-command.ts'
import type { Dialog } from '../support/dialog.ts'
import { createFakeLog } from '../support/fake-log.ts'
import { MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

/** These end the conversation, or begin another one. */
const APART: ReadonlySet<Command['kind']> = new Set(['logout', 'idle', 'authenticate', 'starttls', 'compress'] as const)
const ordinary = command.filter(({ kind }) => !APART.has(kind))

let number = 0

async function answered(talk: Dialog, asked: Command): Promise<void> {
  const tag = `tag-${++number}`
  talk.send(Buffer.concat([...writeCommand(tag, asked, true).chunks]))
  for (let line = await talk.line(); ; line = await talk.line()) {
    assert.notEqual(line, null, 'the server is gone')
    if (!line!.startsWith(`${tag} `)) continue
    assert.match(line!, /^tag-\d+ (OK|NO|BAD) /)
    return
  }
}

const enabling = fc.constantFrom(
  '',
  'CONDSTORE',
  'QRESYNC',
  'IMAP4rev2',
  'UTF8=ACCEPT',
  'IMAP4rev2 QRESYNC UTF8=ACCEPT UIDONLY',
)

test('any command in any session is answered, and nothing goes wrong inside', async () => {
  const logger = createFakeLog()
  await using imap = await startImap({ logger, limits: { badCommands: 1000, connectionsPerAccount: 1000 } })
  await fc.assert(
    fc.asyncProperty(enabling, fc.array(ordinary, { minLength: 10, maxLength: 10 }), async (enabled, commands) => {
      for (const message of [PLAIN, MULTIPART]) await imap.desk.deliver(ALICE, message)
      await using talk = await imap.login()
      if (enabled) await talk.play(`C: e ENABLE ${enabled}\nS: * ENABLED…\nS: e OK …`)
      for (const one of commands) {
        await answered(talk, { kind: 'select', mailbox: 'INBOX', condstore: false, qresync: null })
        await answered(talk, one)
        assert.deepEqual(logger.said('imap command failed'), [], JSON.stringify(one))
      }
    }),
    { numRuns: 20 },
  )
})
