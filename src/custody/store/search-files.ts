import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bytes } from '#lib/bytes.ts'
import { claimFile } from '#lib/sqlite-claim.ts'
import type { IndexFiles } from '../search/sealed-files.ts'

const UNFINISHED = '.new'
const CLAIM = 'claim'
const OLD_MS = 60 * 60_000

/** The files of an account's search index, in a folder of their own. They are a cache: nothing waits for the disk. */
export class SearchFiles implements IndexFiles {
  readonly #directory: string
  readonly #now: () => number

  constructor(directory: string, now: () => number) {
    this.#directory = directory
    this.#now = now
  }

  async read(name: string): Promise<Bytes | null> {
    return readFile(join(this.#directory, name)).catch(nullWhenMissing)
  }

  async write(name: string, octets: Bytes): Promise<void> {
    const path = join(this.#directory, name)
    const unfinished = `${path}${UNFINISHED}`
    await this.#make()
    const file = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600)
    try {
      await file.writeFile(octets)
    } catch (error) {
      await file.close().catch(() => {})
      await rm(unfinished, { force: true })
      throw error
    }
    await file.close()
    await rename(unfinished, path)
  }

  async #make(): Promise<void> {
    await mkdir(this.#directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }

  async claim(): Promise<Disposable | null> {
    await this.#make()
    return claimFile(join(this.#directory, CLAIM))
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#directory, name), { force: true })
  }

  async isOld(name: string): Promise<boolean> {
    const found = await stat(join(this.#directory, name)).catch(nullWhenMissing)
    return found !== null && found.mtimeMs < this.#now() - OLD_MS
  }

  async names(): Promise<readonly string[]> {
    const names = (await readdir(this.#directory).catch(nullWhenMissing)) ?? []
    return names.filter((name) => name !== CLAIM)
  }
}

function nullWhenMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}
