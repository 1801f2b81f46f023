import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { AccountMail, MailStore } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import type { SortField } from '#formats/imap/command.ts'
import { collated } from '#formats/message/collation.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { silentLogger } from '#lib/log.ts'
import { searchCorpus } from '../../../../test/support/search-corpus.ts'
import { bruteForce, type ModelMessage, type SearchModel, searchKeys } from '../../../../test/support/search-model.ts'
import type { SearchGround } from './search-ground.ts'
import { matchingPlaces, searchMailbox } from './search-mailbox.ts'
import { sortedPlaces } from './sort-places.ts'

const COUNT = 200
const NOW = Date.UTC(2026, 10, 22)
const DAY = 86_400_000

describe('searching', () => {
  let store: MailStore
  let mail: AccountMail
  let ground: SearchGround
  let model: SearchModel

  before(async () => {
    store = createMemoryMailStore()
    await store.create('a')
    mail = await store.open('a', null)
    const { id } = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!
    const corpus = searchCorpus(COUNT, 1)
    for (const { octets, internalDate, flags } of corpus) {
      const summary = encodeSummary(summarize(octets))
      await mail.append(id, { content: octets, summary, internalDate, flags })
    }
    // Some are gone, so that places are no uids.
    const gone = corpus.flatMap((_, index) => (index % 9 === 4 ? [index + 1] : []))
    await mail.remove(id, gone)
    const rows = await mail.list(id)
    const facts = await mail.facts(
      id,
      rows.map(({ uid }) => uid),
    )
    const messages = rows.map(({ uid, modseq }, place) => {
      const savedDay = Math.floor(facts[place]!.savedDate / DAY)
      return { ...corpus[uid - 1]!, uid, modseq, savedDay }
    })
    const saved = messages.filter((_, place) => place % 3 === 0).map(({ uid }) => uid)
    model = { messages, saved, now: NOW }
    const view = {
      length: rows.length,
      lastUid: rows.at(-1)!.uid,
      uidAt: (place: number) => rows[place]!.uid,
      isRecent: () => false,
    }
    ground = { mailbox: { mail, id, view }, saved, now: NOW, logger: silentLogger, goOn: () => {} }
  })

  after(async () => {
    await mail[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })

  it('finds what brute force finds in the clear messages, with an index and without one', async () => {
    await using another = await store.open('a', null)
    const withoutIndex = Object.assign(another, {
      textMatches: async (_: number, queries: readonly unknown[]) =>
        queries.map(() => ({
          yes: new Uint32Array(),
          open: Uint32Array.from(model.messages, ({ uid }) => uid),
        })),
    })
    await fc.assert(
      fc.asyncProperty(searchKeys(COUNT), fc.boolean(), async (key, indexed) => {
        const searched = indexed ? ground : { ...ground, mailbox: { ...ground.mailbox, mail: withoutIndex } }
        assert.deepEqual(await matchingPlaces(searched, key), bruteForce(model, key))
      }),
      { numRuns: 50 },
    )
  })

  it('finds the same from the end', async () => {
    await fc.assert(
      fc.asyncProperty(searchKeys(COUNT), async (key) => {
        const pages: (readonly number[])[] = []
        for await (const page of searchMailbox(ground, key, true)) pages.unshift(page)
        assert.deepEqual(pages.flat(), bruteForce(model, key))
      }),
      { numRuns: 20 },
    )
  })

  it('sorts as a stable sort of the clear values does', async () => {
    const places = model.messages.map((_, place) => place)
    const criterion = fc.record({ field: fc.constantFrom(...FIELDS), reverse: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(criterion, { minLength: 1, maxLength: 3 }), async (criteria) => {
        const expected = [...places].sort((a, b) => {
          for (const { field, reverse } of criteria) {
            const order = compareClear(clearValue(model.messages[a]!, field), clearValue(model.messages[b]!, field))
            if (order !== 0) return reverse ? -order : order
          }
          return 0
        })
        assert.deepEqual(await sortedPlaces(ground, places, criteria), expected)
      }),
      { numRuns: 20 },
    )
  })
})

const FIELDS: readonly SortField[] = [
  'arrival',
  'cc',
  'date',
  'from',
  'size',
  'subject',
  'to',
  'displayFrom',
  'displayTo',
]

/** Numbers, or octets after RFC 5051. */
function clearValue(message: ModelMessage, field: SortField): number | Buffer {
  const clear = (name: string) => message.fields.find(([one]) => one === name)?.[1] ?? ''
  switch (field) {
    case 'arrival':
      return message.internalDate
    case 'date':
      return message.sent?.[0] ?? message.internalDate
    case 'size':
      return message.octets.length
    case 'subject':
      return Buffer.from(collated(clear('subject')))
    case 'displayFrom':
    case 'displayTo':
      return Buffer.from(collated(clear(field.slice('display'.length).toLowerCase()).replace(/ <[^>]*>$/, '')))
    default:
      return Buffer.from(collated(/<(.*)@/.exec(clear(field))?.[1] ?? ''))
  }
}

function compareClear(a: number | Buffer, b: number | Buffer): number {
  return typeof a === 'number' ? a - (b as number) : Buffer.compare(a, b as Buffer)
}
