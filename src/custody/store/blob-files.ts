/**
 * Large contents, each in a file of its own. A file is written, synced and its directory synced before the row that names it
 * is committed; it is removed after the commit that removes the row. What a crash leaves in between is named by no row and
 * swept when the account is opened.
 */
import { constants, readFileSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bytes } from '#lib/bytes.ts'
import { randomId } from '#lib/ids.ts'
import { MessageUnreadable } from './mail-store.ts'

/** Another process may have written a file whose row it is about to commit: what is younger is no orphan yet. */
const ORPHAN_AGE_MS = 60 * 60_000

/** Up to this size a file is read as SQLite reads its pages; to have it read elsewhere costs ten times that. */
const READ_AT_ONCE = 1 << 20

async function readNow(path: string): Promise<Buffer> {
  return readFileSync(path)
}

/** Waits until the names in the directory are on the disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  await directory.sync().finally(() => directory.close())
}

export class BlobFiles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Answers the file's name, once its octets are on the disk. */
  async write(octets: Bytes): Promise<string> {
    const name = randomId(26)
    const path = join(this.#directory, name)
    const file = await this.#create(path)
    try {
      await file.writeFile(octets)
      await file.sync()
    } catch (error) {
      await file.close().catch(() => {})
      await rm(path, { force: true })
      throw error
    }
    await file.close()
    await syncDirectory(this.#directory)
    return name
  }

  async #create(path: string) {
    try {
      return await open(path, 'wx', 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(this.#directory, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EEXIST') throw cause
      })
      await syncDirectory(join(this.#directory, '..'))
      return open(path, 'wx', 0o600)
    }
  }

  /** Throws MessageUnreadable when the file is gone or has another size than the row says. */
  async read(name: string, size: number): Promise<Bytes> {
    const path = join(this.#directory, name)
    const octets = await (size <= READ_AT_ONCE ? readNow(path) : readFile(path)).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') throw new MessageUnreadable(`${path} is missing: restore it from a backup`)
        throw error
      },
    )
    if (octets.byteLength !== size)
      throw new MessageUnreadable(
        `${path} has ${octets.byteLength} octets instead of ${size}: restore it from a backup`,
      )
    return octets
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(join(this.#directory, name), { force: true })
  }

  async names(): Promise<readonly string[]> {
    return readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
  }

  /** Removes old files that are not in `kept`; answers how many. */
  async sweep(kept: ReadonlySet<string>, now: number): Promise<number> {
    let swept = 0
    for (const name of await this.names()) {
      if (kept.has(name)) continue
      const path = join(this.#directory, name)
      if ((await stat(path)).mtimeMs > now - ORPHAN_AGE_MS) continue
      await rm(path, { force: true })
      swept++
    }
    return swept
  }
}
