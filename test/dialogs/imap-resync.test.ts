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

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function does(client: PictureClient, { what, place, flag }: Step, mailbox: string): Promise<void> {
  const uid = client.uids[place % Math.max(client.uids.length, 1)] ?? 1
  if (what === 'add') await client.command(`UID STORE ${uid} +FLAGS (${flag})`)
  else if (what === 'remove') await client.command(`UID STORE ${uid} -FLAGS (${flag})`)
  else if (what === 'silent') await client.storeSilently(uid, place % 2 ? '+' : '-', flag)
  else if (what === 'expunge') await client.command('EXPUNGE')
  else if (what === 'move') await client.command(`UID MOVE ${uid} ${mailbox}`)
  else if (what === 'fetch' && client.uids.length > 0) await client.command('FETCH 1 (UID)')
  else if (what === 'noop') await client.command('NOOP')
}

/** `play` has the two working clients do the steps, and the absent one come back now and then. */
async function play(run: (steps: readonly Step[], round: Round) => Promise<void>, numRuns: number): Promise<void> {
  await using imap = await startImap()
  const mail = await imap.desk.mail(ALICE)
  const talks = await Promise.all([imap.login(), imap.login(), imap.login(), imap.login()])
  for (const talk of [talks[1], talks[2]]) await talk!.play('C: q ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: q OK …')
  let rounds = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40 }), async (steps) => {
      const mailbox = `round${rounds++}`
      const { id } = await mail.createMailbox(mailbox)
      const deliver = () => imap.desk.deliver(ALICE, PLAIN, { mailbox })
      for (let i = 0; i < 4; i++) await deliver()
      // By numbers, by VANISHED, coming back, and one that only asks for everything.
      const [numbers, vanished, absent, asking] = talks.map((talk) => new PictureClient(talk))
      const working = [numbers!, vanished!]
      for (const client of working) {
        await client.command(`SELECT ${mailbox}`)
        await client.command('FETCH 1:* (UID FLAGS)')
      }
      await absent!.resync(mailbox)
      await run(steps, { mailbox, working, absent: absent!, deliver })
      for (const client of working) await client.command('NOOP')
      await absent!.resync(mailbox)
      await asking!.command(`SELECT ${mailbox}`)
      const truth = (await mail.list(id)).map(({ uid, flags }) => [uid, [...flags].sort().join(' ')])
      for (const client of [...working, absent!, asking!]) assert.deepEqual(client.picture, truth)
    }),
    { numRuns },
  )
  for (const talk of talks) await talk[Symbol.asyncDispose]()
}

interface Round {
  readonly mailbox: string
  readonly working: readonly PictureClient[]
  readonly absent: PictureClient
  deliver(): Promise<unknown>
}

test('every client ends up with the true picture', () =>
  play(async (steps, { mailbox, working, absent, deliver }) => {
    for (const one of steps)
      if (one.what === 'deliver') await deliver()
      else if (one.what === 'resync') await absent.resync(mailbox)
      else await does(working[one.who]!, one, mailbox)
  }, 30))

test('also when all of it happens at the same time', () =>
  play(async (steps, { mailbox, working, absent, deliver }) => {
    const inTurn = async (mine: (one: Step) => boolean, run: (one: Step) => Promise<unknown>) => {
      for (const one of steps.filter(mine)) await run(one)
    }
    const isWork = ({ what }: Step) => what !== 'deliver' && what !== 'resync'
    await Promise.all([
      ...[0, 1].map((who) =>
        inTurn(
          (one) => isWork(one) && one.who === who,
          (one) => does(working[who]!, one, mailbox),
        ),
      ),
      inTurn(({ what }) => what === 'deliver', deliver),
      inTurn(
        ({ what }) => what === 'resync',
        () => absent.resync(mailbox),
      ),
    ])
  }, 30))
