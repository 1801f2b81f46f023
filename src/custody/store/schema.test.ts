import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openSqlite } from '#lib/sqlite.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { migrations, type StoreSchema } from './schema.ts'

test('summaries that wait are kept for their contents when the index goes over to pages', async () => {
  await using directory = await temporaryDirectory('schema')
  const path = directory.join('mail.db')
  const before = migrations.findIndex(({ name }) => name === 'gatherPages')
  {
    await using old = await openSqlite<Record<string, Record<string, unknown>>>({
      path,
      migrations: migrations.slice(0, before),
    })
    await old.write(async (query) => {
      const row = { modseq: 1, internal_date: 0, flags: 0, keywords: '', size: 1, email_id: 7, saved: 0 }
      for (const [mailbox_id, uid, content_id] of [
        [1, 1, 7],
        [1, 2, 8],
        [2, 1, 7],
      ] as const) {
        await query
          .insertInto('message')
          .values({ account_id: 1, mailbox_id, uid, content_id, ...row })
          .execute()
        const kept = { account_id: 1, mailbox_id, uid, octets: Buffer.of(content_id) }
        await query
          .insertInto(uid === 2 ? 'index_record' : 'summary')
          .values(kept)
          .execute()
      }
    })
  }
  await using now = await openSqlite<StoreSchema>({ path, migrations })
  assert.deepEqual(
    (await now.query.selectFrom('waiting_summary').selectAll().execute()).map(({ content_id, octets }) => [
      content_id,
      [...octets],
    ]),
    [[7, [7]]],
  )
  const rows = await now.query.selectFrom('message').select(['content_id', 'index_page']).execute()
  assert.deepEqual(
    rows.map(({ index_page }) => index_page),
    [null, null, null],
  )
})
