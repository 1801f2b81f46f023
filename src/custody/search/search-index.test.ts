import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClaims } from '#lib/claims.ts'
import { type Fields, type Logger, silentLogger } from '#lib/log.ts'
import { type IndexFiles, SealedFiles } from './sealed-files.ts'
import { NO, OPEN, SearchIndex, YES } from './search-index.ts'

function memoryFiles(): IndexFiles & { readonly kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>()
  const claims = createClaims()
  return {
    kept,
    read: async (name) => kept.get(name) ?? null,
    write: async (name, octets) => void kept.set(name, octets),
    remove: async (name) => void kept.delete(name),
    names: async () => [...kept.keys()],
    isOld: async () => true,
    claim: () => claims.take(''),
  }
}

const key = (octet: number) => Buffer.alloc(32, octet)
const open = (files: IndexFiles, logger: Logger = silentLogger, keys = [key(1)]) =>
  SearchIndex.open({ account: 'alice', keys, files, logger })

const textOf = (id: number) => `letter ${id} about ${id % 2 ? 'gardens' : 'rivers'} at noon`

async function fill(index: SearchIndex, first: number, last: number): Promise<void> {
  for (let id = first; id <= last; id++) await index.add(id, { fields: [], bodies: [textOf(id)] })
  await index.flush()
  await index.cover(first, last)
  await index.commit()
}

async function states(index: SearchIndex, folded: string, ids: readonly number[]): Promise<number[]> {
  const query = { where: 'body', field: null, text: folded, folded } as const
  return [...(await index.match(Float64Array.from(ids), [query]))[0]!]
}

function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const print = (_: Fields, msg: string) => void lines.push(msg)
  const logger: Logger = { debug: print, info: print, warn: print, error: print, with: () => logger }
  return { logger, lines }
}

test('what was written is found by the next who opens it, and what is not covered is open', async () => {
  const files = memoryFiles()
  {
    await using index = await open(files)
    await fill(index, 1, 3)
    assert.deepEqual(await states(index, 'about gard', [1, 2, 3, 4]), [YES, NO, YES, OPEN])
  }
  await using index = await open(files)
  assert.equal(index.documents, 3)
  assert.deepEqual(await states(index, 'about gard', [1, 2, 3, 4]), [YES, NO, YES, OPEN])
  assert.ok(index.weight > 0)
  await index.release()
  assert.equal(index.weight, 0)
  assert.deepEqual(await states(index, 'r 2 ', [1, 2, 3, 4]), [NO, YES, NO, OPEN])
})

test('what is taken in while somebody searches is found or open, whenever it comes', async () => {
  for (let at = 0; at < 4; at++) {
    const files = memoryFiles()
    {
      await using index = await open(files)
      await fill(index, 1, 3)
    }
    let reads = 0
    let meanwhile = async () => {}
    const read = async (name: string) => {
      if (reads++ === at) await meanwhile()
      return files.read(name)
    }
    await using index = await open({ ...files, read })
    meanwhile = () => fill(index, 4, 4)
    reads = 0
    const [, , , last] = await states(index, 'letter', [1, 2, 3, 4])
    assert.notEqual(last, NO, `at read ${at}`)
  }
})

test('a large index is never in memory as a whole', async () => {
  const files = memoryFiles()
  {
    await using index = await open(files)
    for (let id = 1; id <= 300; id += 100) await fill(index, id, id + 99)
  }
  const given = { account: 'alice', keys: [key(1)], files, logger: silentLogger }
  await using whole = await SearchIndex.open(given)
  await using small = await SearchIndex.open({ ...given, keys: [key(1)], heldOctets: 1 })
  const ids = Array.from({ length: 300 }, (_, at) => at + 1)
  for (const text of ['about gard', 'letter', 'r 2']) {
    const found = await Promise.all([states(small, text, ids), states(small, text, ids)])
    assert.deepEqual(found, [await states(whole, text, ids), found[0]])
  }
  assert.deepEqual(await states(small, 'rivers at', [1, 2]), [NO, YES])
  assert.ok(small.weight < whole.weight / 2, `${small.weight} of ${whole.weight}`)
})

test('many small shards become few, and their files go', async () => {
  const files = memoryFiles()
  await using index = await open(files)
  for (let id = 1; id <= 40; id++) {
    await fill(index, id, id)
    await index.tidy(null, () => false)
  }
  assert.ok(files.kept.size < 8 * 3, `${files.kept.size} files`)
  const ids = Array.from({ length: 40 }, (_, at) => at + 1)
  assert.deepEqual(
    await states(index, 'rivers at', ids),
    ids.map((id) => (id % 2 ? NO : YES)),
  )
})

test('what is deleted is dropped when it is much', async () => {
  const files = memoryFiles()
  await using index = await open(files)
  await fill(index, 1, 10)
  await index.tidy(new Set([2, 3, 4, 5, 6, 7, 8, 9, 10]), () => false)
  assert.equal(index.documents, 10)
  await index.tidy(new Set([4, 5]), () => false)
  assert.equal(index.documents, 2)
  assert.deepEqual(await states(index, 'letter', [4, 5]), [YES, YES])
  await index.tidy(new Set(), () => false)
  assert.deepEqual([...files.kept.keys()], ['manifest'])
})

test('messages that are left out match nothing, or are looked at', async () => {
  const files = memoryFiles()
  await using index = await open(files)
  index.leaveOut(1, 'unreadable')
  index.leaveOut(2, 'large')
  await index.cover(1, 2)
  await index.commit()
  assert.deepEqual(await states(index, 'letter', [1, 2]), [NO, OPEN])
  await using later = await open(files, silentLogger, [key(2), key(1)])
  assert.deepEqual(await states(later, 'letter', [1, 2]), [OPEN, OPEN], 'other keys may open it')
})

test('a shard that is damaged is left out with one line in the log, and its messages are to be indexed again', async () => {
  for (const part of ['head', 'words', 'places']) {
    const files = memoryFiles()
    const { logger, lines } = listening()
    {
      await using index = await open(files)
      await fill(index, 1, 3)
      await fill(index, 4, 6)
    }
    const name = [...files.kept.keys()].find((one) => one.endsWith(part))!
    files.kept.get(name)![40]! ^= 1
    await using index = await open(files, logger)
    assert.deepEqual(await states(index, 'about gard', [1, 2, 3, 4, 5, 6]), [OPEN, OPEN, OPEN, NO, YES, NO])
    assert.deepEqual(lines, ['part of the search index is made anew'])
    assert.deepEqual(index.covered.gapBelow(6), { first: 1, last: 3 })
  }
})

test('an index that is damaged, another account’s, of a newer program or an older one is made anew', async () => {
  // The version, the number in clear, the ciphertext.
  const flips = [
    [0, 8],
    [0, 3],
    [1, 8],
    [60, 8],
  ] as const
  for (const [place, flip] of flips) {
    const files = memoryFiles()
    const { logger, lines } = listening()
    {
      await using index = await open(files)
      await fill(index, 1, 3)
    }
    files.kept.get('manifest')![place]! ^= flip
    await using index = await open(files, logger)
    assert.equal(lines.length, 1)
    assert.deepEqual(await states(index, 'letter', [1]), [OPEN])
    await fill(index, 1, 3)
    await index.sweep()
    assert.equal(files.kept.size, 4, 'what nobody names any more is gone')
  }
  const files = memoryFiles()
  await using alice = await open(files)
  await fill(alice, 1, 1)
  await using bob = await SearchIndex.open({ account: 'bob', keys: [key(1)], files, logger: silentLogger })
  assert.equal(bob.documents, 0)
})

test('what another process merged away is read where it is now, and what it added is found', async () => {
  const files = memoryFiles()
  const { logger, lines } = listening()
  await using ours = await open(files)
  for (let id = 1; id <= 4; id++) await fill(ours, id, id)
  await using theirs = await open(files, logger)
  await fill(ours, 5, 5)
  await ours.tidy(null, () => false)
  assert.deepEqual(await states(theirs, 'about gard', [1, 2, 3, 4, 5, 6]), [YES, NO, YES, NO, YES, OPEN])
  assert.deepEqual(lines, [], 'nothing is damaged')
  await fill(ours, 6, 6)
  assert.deepEqual(await states(theirs, 'about river', [5, 6]), [NO, OPEN])
  assert.equal(await theirs.refresh(), true)
  assert.equal(await theirs.refresh(), false)
  assert.equal(theirs.covered.gapBelow(6), null)
  await fill(theirs, 7, 7)
  assert.equal(await ours.refresh(), true)
  assert.deepEqual(await states(ours, 'about gard', [5, 6, 7, 8]), [YES, NO, YES, OPEN])
})

test('after a new key everything is written under it', async () => {
  const files = memoryFiles()
  {
    await using index = await open(files)
    await fill(index, 1, 3)
  }
  {
    await using index = await open(files, silentLogger, [key(2), key(1)])
    assert.deepEqual(await states(index, 'letter', [1]), [YES])
    await index.tidy(null, () => false)
    await index.commit()
  }
  await using index = await open(files, silentLogger, [key(2)])
  assert.deepEqual(await states(index, 'about gard', [1, 2]), [YES, NO])
})

test('files say nothing of what is in them but a number', async () => {
  const files = memoryFiles()
  await using index = await open(files)
  await fill(index, 1, 200)
  for (const octets of files.kept.values()) {
    assert.equal(Buffer.from(octets).includes('gardens'), false)
    assert.equal((octets.length - 5 - 28) % 4096, 0)
  }
  const sealed = new SealedFiles('alice', [key(1)], files)
  const manifest = await sealed.open('manifest')
  assert.equal(manifest.kind, 'open')
  await files.write('other', files.kept.get('manifest')!)
  assert.deepEqual(await sealed.open('other'), { kind: 'damaged' })
  assert.deepEqual(await sealed.open('none'), { kind: 'missing' })
})
