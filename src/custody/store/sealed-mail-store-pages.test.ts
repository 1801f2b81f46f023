import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields, Logger } from '#lib/log.ts'
import type { IndexedAccountMail } from './indexed-mail-store.ts'
import { OpenPages, SealedPages } from './sealed-mail-store-pages.ts'

test('a large index that is damaged has two lines in the log, not one for each page', () => {
  const lines: [string, Fields][] = []
  const write = (fields: Fields, msg: string) => void lines.push([msg, fields])
  const logger: Logger = { debug: write, info: write, warn: write, error: write, with: () => logger }
  const records = async () => assert.fail('no page is opened here')
  const pages = new SealedPages({
    account: 'alice',
    inner: {} as IndexedAccountMail,
    open: new OpenPages(),
    records,
    logger,
  })
  for (let page = 1; page <= 1000; page++) {
    pages.tell(page, 'rebuilt')
    pages.tell(page, 'rebuilt')
  }
  pages.tell(3, 'newer')
  pages[Symbol.dispose]()
  assert.deepEqual(lines, [
    ['a page of the index was missing or damaged', { account: 'alice', page: 1, outcome: 'rebuilt' }],
    ['a page of the index was written by a newer version and is left alone', { account: 'alice', page: 3 }],
    ['there was more than one such page of the index', { account: 'alice', pages: 1000, outcome: 'rebuilt' }],
  ])
})
