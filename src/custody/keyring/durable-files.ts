/**
 * Files that are replaced whole or not at all, and are on the disk when the promise resolves. The steps are named one by one so
 * that tests can stop the world after each of them.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomId } from '#lib/ids.ts'

export interface Disk {
  /** Creates the file, for its owner alone, writes it and syncs it. */
  writeNew(path: string, content: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  syncFolder(path: string): Promise<void>
}

export const disk: Disk = {
  async writeNew(path, content) {
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(content)
    await file.sync()
  },
  rename,
  async syncFolder(path) {
    await using folder = await open(path, 'r')
    await folder.sync()
  },
}

const UNFINISHED = '.new'

export async function replaceFile(steps: Disk, path: string, content: Uint8Array): Promise<void> {
  const fresh = `${path}.${randomId(8)}${UNFINISHED}`
  try {
    await steps.writeNew(fresh, content)
    await steps.rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await steps.syncFolder(dirname(path))
}

/** Makes the folder, for its owner alone, and everything above it that is missing. */
export async function makeFolder(steps: Disk, path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first !== undefined)
    for (let made = path; made.length >= first.length; made = dirname(made)) await steps.syncFolder(dirname(made))
}

/** Removes what a crash left half written. Only for who alone may write there. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const path of await pathsIn(folder, UNFINISHED)) await rm(path, { force: true })
}

/** null when there is no such file. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Paths of what is in the folder and has this ending; none when there is no folder. */
export async function pathsIn(folder: string, ending: string): Promise<readonly string[]> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name))
}
