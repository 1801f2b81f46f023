/**
 * When each app password was last used, for its owner to see which device still does: `accounts/ID/last-use.json`, slot to
 * milliseconds since the epoch. It is exact to the hour and may lag behind or lose an entry in a crash; nothing depends on it, so
 * no login waits for it.
 */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { type Disk, readIfThere, replaceFile } from './durable-files.ts'

const EVERY_MS = 3_600_000
/** Slots that this process remembers to have written; beyond, it forgets them all and writes a little more often. */
const REMEMBERED_MAX = 10_000

/** Whole files, but synced when the system likes. */
const unhurried: Disk = {
  writeNew: (path, content) => writeFile(path, content, { flag: 'wx', mode: 0o600 }),
  rename,
  syncFolder: async () => {},
}

export class LastUses implements AsyncDisposable {
  readonly #dataDir: string
  readonly #logger: Logger
  readonly #written = new Map<string, number>()
  /** Writes follow each other, so that none overwrites what the one before said. */
  #writing: Promise<void> = Promise.resolve()

  constructor(dataDir: string, logger: Logger) {
    this.#dataDir = dataDir
    this.#logger = logger
  }

  #path(account: AccountId): string {
    return join(this.#dataDir, 'accounts', account, 'last-use.json')
  }

  async of(account: AccountId): Promise<ReadonlyMap<string, number>> {
    return entriesIn(await readIfThere(this.#path(account)))
  }

  /** Returns at once. */
  note(account: AccountId, slot: string, now: number): void {
    if (now - (this.#written.get(slot) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    if (this.#written.size >= REMEMBERED_MAX) this.#written.clear()
    this.#written.set(slot, now)
    this.#writing = this.#writing
      .then(() => this.#write(account, slot, now))
      .catch((error) => this.#logger.warn({ account, error }, 'last use of an app password not written'))
  }

  async #write(account: AccountId, slot: string, now: number): Promise<void> {
    const uses = new Map(await this.of(account))
    uses.set(slot, now)
    const text = JSON.stringify(Object.fromEntries(uses))
    await replaceFile(unhurried, this.#path(account), Buffer.from(`${text}\n`))
  }

  /** What was noted is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
  }
}

/** Nothing of a file that is not what we write. */
function entriesIn(octets: Buffer | null): ReadonlyMap<string, number> {
  if (!octets) return new Map()
  try {
    const entries: [string, unknown][] = Object.entries(JSON.parse(octets.toString()) as object)
    return new Map(entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])))
  } catch {
    return new Map()
  }
}
