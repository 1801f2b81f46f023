import type { Bytes } from '#lib/bytes.ts'
import type { ContentId, NewPage, PageId, Pages } from './indexed-mail-store.ts'
import type { SqlAccess } from './sql-access.ts'
import { countWaiting, keepPages, readContentsOf, readPages, readPagesAfter, readUntidy } from './sql-pages.ts'
import { readIndexKeyName, writeIndexKeyName } from './sql-resealing.ts'

export class SqlIndexPages implements Pages {
  readonly #access: SqlAccess

  constructor(access: SqlAccess) {
    this.#access = access
  }

  read(ids: readonly PageId[]): Promise<ReadonlyMap<PageId, Bytes>> {
    return this.#access.read((scope) => readPages(scope, ids))
  }

  after(after: PageId, limit: number): Promise<readonly PageId[]> {
    return this.#access.read((scope) => readPagesAfter(scope, after, limit))
  }

  contentsOf(page: PageId): Promise<readonly ContentId[]> {
    return this.#access.read((scope) => readContentsOf(scope, page))
  }

  waiting(): Promise<number> {
    return this.#access.read(countWaiting)
  }

  untidy(limit: number): Promise<readonly PageId[]> {
    return this.#access.read((scope) => readUntidy(scope, limit))
  }

  keep(pages: readonly NewPage[]): Promise<void> {
    return this.#access.writeUnhurried((scope) => keepPages(scope, pages))
  }

  keyName(): Promise<string | null> {
    return this.#access.read(readIndexKeyName)
  }

  nameKey(name: string): Promise<void> {
    return this.#access.write((scope) => writeIndexKeyName(scope, name))
  }
}
