/**
 * Random edits on both sides, then a synchronisation, round after round: mbsync with Maildirs here and another client there, InterIMAP
 * between two accounts; a model knows what both must hold afterwards, to the octet and to the flag.
 */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { ImapFlow } from 'imapflow'
import { needs } from '../support/needs.ts'
import { interImap } from '../support/peers/interimap.ts'
import { mbsync } from '../support/peers/mbsync.ts'
import type { Ran } from '../support/peers/run.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { KEYWORDS, type KeptMessage, MaildirSide, type MailSide, ServerSide } from '../support/two-way.ts'

const RUNS = 2
const FIRST_MAILBOXES = ['INBOX', 'Archive', 'Drafts', 'Sent', 'Trash', 'Junk']

type Side = 'near' | 'far'
type Edit = { readonly side: Side } & (
  | { readonly kind: 'add'; readonly mailbox: number; readonly flags: string; readonly text: string }
  | { readonly kind: 'flag'; readonly message: number; readonly flag: string }
  | { readonly kind: 'remove'; readonly message: number }
  | { readonly kind: 'move'; readonly message: number; readonly mailbox: number }
  | { readonly kind: 'create'; readonly name: string }
)

/** A flag changed here and the same flag there has no single right end, so each side has its own. */
const FLAGS_OF: Readonly<Record<Side, string>> = { near: 'FS', far: 'DPR' }

const side = fc.constantFrom<Side>('near', 'far')
const flags = fc.subarray(Object.keys(KEYWORDS)).map((letters) => letters.join(''))
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((words) => words.replaceAll(/[\0\r\n]/g, ' '))
// Without what a hierarchy, a pattern, a file name or mbsync's configuration gives another meaning.
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter(
    (words) => !/[/%*\p{C}\p{Z}]|^[.~-]/u.test(words) && words === words.normalize('NFC') && !/^inbox$/i.test(words),
  )
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ side, kind: fc.constant('add' as const), mailbox: fc.nat(), flags, text }) },
  {
    weight: 5,
    arbitrary: side.chain((by) =>
      fc.record({
        side: fc.constant(by),
        kind: fc.constant('flag' as const),
        message: fc.nat(),
        flag: fc.constantFrom(...FLAGS_OF[by]),
      }),
    ),
  },
  { weight: 2, arbitrary: fc.record({ side, kind: fc.constant('remove' as const), message: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ side, kind: fc.constant('move' as const), message: fc.nat(), mailbox: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ side, kind: fc.constant('create' as const), name }) },
)
const rounds = fc.array(fc.array(edit, { minLength: 10, maxLength: 40 }), { minLength: 3, maxLength: 4 })

/** What both sides must hold. */
class Model {
  readonly mailboxes = [...FIRST_MAILBOXES]
  readonly messages = new Map<number, KeptMessage>()
  readonly #owners: readonly (readonly Side[])[]
  #serial = 0

  /** Messages belong to these in turn, and to others in the next round; what is of both sides is not moved or removed, but flagged. */
  constructor(owners: readonly (readonly Side[])[]) {
    this.#owners = owners
  }

  /** Plays a round on the sides, and knows what comes of it. */
  async play(edits: readonly Edit[], sides: Readonly<Record<Side, MailSide>>, round: number): Promise<void> {
    // New messages are known to the other side, and mailboxes to both, after the next synchronisation.
    const [known, places] = [[...this.messages.keys()], [...this.mailboxes]]
    const ownersOf = (serial: number) => this.#owners[(serial + round) % this.#owners.length]!
    for (const one of edits) {
      const on = sides[one.side]
      if (one.kind === 'create') {
        if (this.mailboxes.some((taken) => taken.toLowerCase() === one.name.toLowerCase())) continue
        this.mailboxes.push(one.name)
        await on.create(one.name)
      } else if (one.kind === 'add') {
        const serial = ++this.#serial
        const content = Buffer.from(
          `X-Serial: ${serial}\r\nSubject: ${one.text}\r\n\r\n${one.text}\r\n.\r\n${'x'.repeat(one.mailbox % 3000)}\r\n`,
        )
        const message = { serial, mailbox: places[one.mailbox % places.length]!, flags: one.flags, content }
        this.messages.set(serial, message)
        await on.add(message)
      } else {
        const mine = known.filter((serial) => this.messages.has(serial) && ownersOf(serial).includes(one.side))
        const message = this.messages.get(mine[one.message % mine.length] ?? 0)
        if (message === undefined) continue
        if (one.kind === 'flag') await this.#flag(message, one.flag, on)
        else if (ownersOf(message.serial).length > 1) continue
        else if (one.kind === 'remove') {
          this.messages.delete(message.serial)
          await on.remove(message.serial)
        } else await this.#move(message, places[one.mailbox % places.length]!, on)
      }
    }
  }

  async #flag(message: KeptMessage, flag: string, on: MailSide): Promise<void> {
    const set = new Set(message.flags)
    if (!set.delete(flag)) set.add(flag)
    const flagged = [...set].sort().join('')
    this.messages.set(message.serial, { ...message, flags: flagged })
    await on.changeFlag(message.serial, flag, set.has(flag))
  }

  async #move(message: KeptMessage, mailbox: string, on: MailSide): Promise<void> {
    if (mailbox === message.mailbox) return
    this.messages.set(message.serial, { ...message, mailbox })
    await on.move(message.serial, mailbox)
  }
}

const shape = (messages: Iterable<KeptMessage>) =>
  [...messages]
    .map(({ serial, mailbox, flags, content }) => `${serial} ${mailbox} ${flags} ${content.toString('latin1')}`)
    .sort()

describe('two-way synchronisation', needs('mbsync', 'interimap'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let used = 0

  before(async () => {
    directory = await temporaryDirectory('two-way')
    await mkdir(directory.join('provider'))
    // Each run has its account, and InterIMAP two.
    const accounts = Array.from({ length: RUNS * 3 }, (_, number) => account(number))
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts })
    await provider.start()
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const account = (number: number) => ({ address: `user-${number}@alpha.test`, password: 'correct horse' })
  const nextAccount = () => {
    const { address: user, password } = account(used++)
    return { host: provider.host, port: provider.ports.imaps, user, password }
  }
  const login = async ({ host, port, user, password }: ReturnType<typeof nextAccount>) => {
    const auth = { user, pass: password }
    const flow = new ImapFlow({ host, port, auth, secure: true, tls: { rejectUnauthorized: false }, logger: false })
    await flow.connect()
    return flow
  }

  const converges = async (
    model: Model,
    edits: readonly (readonly Edit[])[],
    sides: Readonly<Record<Side, MailSide>>,
    synchronise: () => Promise<Ran>,
  ): Promise<string> => {
    const synchronised = async () => {
      const ran = await synchronise()
      assert.equal(ran.code, 0, ran.output)
    }
    await synchronised()
    for (const [round, some] of edits.entries()) {
      await model.play(some, sides, round)
      await synchronised()
      for (const one of [sides.near, sides.far]) {
        assert.deepEqual((await one.mailboxes()).sort(), [...model.mailboxes].sort())
        assert.deepEqual(shape(await one.messages()), shape(model.messages.values()))
      }
    }
    return `${edits.flat().length} edits: ${model.messages.size} messages, ${model.mailboxes.length} mailboxes`
  }

  /** A failed run is not tried again in smaller pieces: its account is used up. */
  const always = (play: (edits: readonly (readonly Edit[])[]) => Promise<void>) =>
    fc.assert(fc.asyncProperty(rounds, play), { numRuns: RUNS, endOnFailure: true })

  it('with mbsync ends with the same mail in Maildirs and on the server, whatever was edited where', async (test) => {
    await always(async (edits) => {
      const far = nextAccount()
      const place = directory.join(far.user)
      const client = await mbsync({ directory: place, ...far, certificate: provider.certificate })
      const flow = await login(far)
      const sides = { near: new MaildirSide(join(place, 'mail')), far: new ServerSide(flow) }
      test.diagnostic(await converges(new Model([['near'], ['far'], ['near', 'far']]), edits, sides, client.sync))
      await flow.logout()
    })
  })

  it('with InterIMAP ends with the same mail in two accounts, by QRESYNC alone', async (test) => {
    await always(async (edits) => {
      const [local, remote] = [nextAccount(), nextAccount()]
      const trust = { ca: provider.ca, name: 'mail.alpha.test' }
      const synchronise = await interImap({ directory: directory.join(local.user), ...trust, local, remote })
      const flows = [await login(local), await login(remote)] as const
      const sides = { near: new ServerSide(flows[0]), far: new ServerSide(flows[1]) }
      // It unites what flags both sides have when both have changed.
      test.diagnostic(await converges(new Model([['near'], ['far']]), edits, sides, synchronise))
      for (const flow of flows) await flow.logout()
    })
  })
})
