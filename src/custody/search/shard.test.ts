import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fold } from '#formats/message/fold.ts'
import type { TextQuery } from '#formats/message/message-text.ts'
import { packHead, packPlaces, packWords, unpackHead, unpackPlaces, unpackWords, type WholeShard } from './shard.ts'
import { type DocumentTexts, ShardBuilder } from './shard-builder.ts'
import { mergeShards } from './shard-merge.ts'
import { markMatching } from './shard-query.ts'

async function shardOf(documents: readonly DocumentTexts[], firstId = 0): Promise<WholeShard> {
  const builder = new ShardBuilder()
  for (const [index, texts] of documents.entries()) assert.ok(builder.add(firstId + index, texts))
  return builder.finish()
}

async function matching(shard: WholeShard, query: TextQuery): Promise<number[]> {
  const marks = new Uint8Array(shard.head.documents.length)
  const searched = { ...shard, places: async () => shard.places }
  await markMatching(searched, { ...query, folded: fold(query.text) }, marks)
  return [...shard.head.documents].filter((_, index) => marks[index])
}

/** What MessageText says. */
function bruteForce(documents: readonly DocumentTexts[], { where, field, text }: TextQuery): number[] {
  const wanted = fold(text)
  const matches = ({ fields, bodies }: DocumentTexts) => {
    if (where === 'header') return fields.some((one) => one.name === field && one.text.includes(wanted))
    const inBody = wanted === '' || bodies.some((body) => body.includes(wanted))
    return inBody || (where === 'text' && fields.some((one) => `${one.name}: ${one.text}`.includes(wanted)))
  }
  return documents.flatMap((one, index) => (matches(one) ? [index] : []))
}

const unit = fc.constantFrom('a', 'b', 'n', ' ', ' ', ':', '.', '\n', '語', '目', 'É', 'ß', '𠀀', 'ש', 'ก')
const text = fc.string({ unit, maxLength: 12 }).map(fold)
const name = fc.constantFrom('subject', 'to', 'x-nan', '')
const document = fc.record({
  fields: fc.array(fc.record({ name, text }), { maxLength: 3 }),
  bodies: fc.array(text, { maxLength: 2 }),
})
const documents = fc.array(document, { minLength: 1, maxLength: 6 })
const cut = (given: string, from: number, length: number) => {
  const characters = [...given]
  const start = from % (characters.length + 1)
  return characters.slice(start, start + length).join('')
}
const anyWhere = fc.constantFrom('header' as const, 'body' as const, 'text' as const)
/** Documents, and a query for something that may stand in them. */
const searched = fc
  .tuple(documents, anyWhere, name, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 6 }), text)
  .map(([all, where, field, which, from, length, other]) => {
    const texts = all.flatMap(({ fields, bodies }) => [
      ...fields.map((one) => (where === 'text' ? `${one.name}: ${one.text}` : one.text)),
      ...bodies,
    ])
    const found = texts.length > 0 && which % 5 > 0 ? cut(texts[which % texts.length]!, from, length) : other
    return [all, { where, field, text: found }] as const
  })

test('a shard finds exactly what reading finds', async () => {
  await fc.assert(
    fc.asyncProperty(searched, async ([all, query]) => {
      assert.deepEqual(await matching(await shardOf(all), query), bruteForce(all, query))
    }),
    { numRuns: 1200 },
  )
})

test('merged shards find the same, without what is left out', async () => {
  await fc.assert(
    fc.asyncProperty(searched, documents, fc.nat(5), async ([some, query], others, gone) => {
      const parts = [await shardOf(some), await shardOf(others, some.length)]
      const merged = await mergeShards(parts, (id) => id !== gone)
      const expected = bruteForce([...some, ...others], query).filter((id) => id !== gone)
      assert.deepEqual(await matching(merged, query), expected)
      const again = await mergeShards([merged], () => true)
      assert.deepEqual(again, merged)
    }),
    { numRuns: 400 },
  )
})

test('a shard comes back as it was stored', async () => {
  await fc.assert(
    fc.asyncProperty(documents, async (all) => {
      const shard = await shardOf(all)
      assert.deepEqual(unpackHead(packHead(shard.head)), shard.head)
      assert.deepEqual(unpackWords(packWords(shard.words)), shard.words)
      assert.deepEqual(unpackPlaces(packPlaces(shard.places)), shard.places)
    }),
  )
})

test('an empty text asks whether the field is there', async () => {
  const all = [
    { fields: [{ name: 'x-nan', text: '' }], bodies: ['text'] },
    { fields: [], bodies: [] },
  ]
  assert.deepEqual(await matching(await shardOf(all), { where: 'header', field: 'x-nan', text: '' }), [0])
})
