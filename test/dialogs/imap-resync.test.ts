/**
 * Two clients change a mailbox at random, a third comes and goes. However they are told, by numbers or VANISHED, at once or when they come
 * back, all of them end up with what the server has.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PLAIN } from '../support/imap-messages.ts'
import { PictureClient } from '../support/imap-picture.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const FLAGS = ['\\Seen', '\\Deleted', '\\Deleted', '$Work']

const step = fc.record({
  who: fc.constantFrom(0, 1),
  what: fc.constantFrom('deliver', 'add', 'remove', 'silent', 'silent', 'expunge', 'move', 'fetch', 'noop', 'resync'),
  place: fc.nat(5),
  flag: fc.constantFrom(...FLAGS),
})

test('every client ends up with the true picture', async () => {
  await using imap = await startImap()
  const mail = await imap.desk.mail(ALICE)
  const talks = await Promise.all([imap.login(), imap.login(), imap.login(), imap.login()])
  for (const talk of [talks[1], talks[2]]) await talk!.play('C: q ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: q OK …')
  let round = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40 }), async (steps) => {
      const name = `round${round++}`
      const { id } = await mail.createMailbox(name)
      for (let i = 0; i < 4; i++) await imap.desk.deliver(ALICE, PLAIN, { mailbox: name })
      // By numbers, by VANISHED, coming back, and one that only asks for everything.
      const [numbers, vanished, absent, asking] = talks.map((talk) => new PictureClient(talk))
      const working = [numbers!, vanished!]
      for (const client of working) {
        await client.command(`SELECT ${name}`)
        await client.command('FETCH 1:* (UID FLAGS)')
      }
      await absent!.resync(name)
      for (const { who, what, place, flag } of steps) {
        const client = working[who]!
        const uid = client.uids[place % Math.max(client.uids.length, 1)] ?? 1
        if (what === 'deliver') await imap.desk.deliver(ALICE, PLAIN, { mailbox: name })
        else if (what === 'add') await client.command(`UID STORE ${uid} +FLAGS (${flag})`)
        else if (what === 'remove') await client.command(`UID STORE ${uid} -FLAGS (${flag})`)
        else if (what === 'silent') await client.storeSilently(uid, place % 2 ? '+' : '-', flag)
        else if (what === 'expunge') await client.command('EXPUNGE')
        else if (what === 'move') await client.command(`UID MOVE ${uid} ${name}`)
        else if (what === 'fetch' && client.uids.length > 0) await client.command('FETCH 1 (UID)')
        else if (what === 'noop') await client.command('NOOP')
        else if (what === 'resync') await absent!.resync(name)
      }
      for (const client of working) await client.command('NOOP')
      await absent!.resync(name)
      await asking!.command(`SELECT ${name}`)
      const truth = (await mail.list(id)).map(({ uid, flags }) => [uid, [...flags].sort().join(' ')])
      for (const client of [...working, absent!, asking!]) assert.deepEqual(client.picture, truth)
    }),
    { numRuns: 60 },
  )
  for (const talk of talks) await talk[Symbol.asyncDispose]()
})
