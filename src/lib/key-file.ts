import { randomBytes } from 'node:crypto'
import { link, open, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomId } from './ids.ts'

const LENGTH = 32

/**
 * Reads a random key of 32 octets from a file that only we may read, making it when there is none. Two processes that make
 * it at once end up with the same one; it is on the disk before it is used, because what it locks is lost without it.
 */
export async function loadKeyFile(path: string): Promise<Buffer> {
  return (await readKey(path)) ?? makeKey(path)
}

async function readKey(path: string): Promise<Buffer | null> {
  let key: Buffer
  try {
    key = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  if (key.length !== LENGTH)
    throw new Error(
      `${path} is damaged: ${key.length} octets instead of ${LENGTH}. Restore it from a backup; do not delete it.`,
    )
  return key
}

async function makeKey(path: string): Promise<Buffer> {
  const temporary = `${path}.${randomId(8)}.new`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.write(randomBytes(LENGTH))
    await file.sync()
  } finally {
    await file.close()
  }
  await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await unlink(temporary)
  const directory = await open(dirname(path), 'r')
  await directory.sync().finally(() => directory.close())
  return (await readKey(path))!
}
