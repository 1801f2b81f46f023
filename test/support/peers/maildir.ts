/** Reads Maildirs that peers wrote. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface MaildirMessage {
  readonly file: string
  /** Delivered to `new`, not yet seen by a reader. */
  readonly isNew: boolean
  /** Maildir flag letters: `S` seen, `R` replied, `F` flagged, `T` trashed, `D` draft. */
  readonly flags: string
  readonly content: Buffer
}

/** All messages of one Maildir, sorted by file name (so by time of delivery); empty when there is none yet. */
export async function readMaildir(path: string): Promise<MaildirMessage[]> {
  const messages: MaildirMessage[] = []
  for (const folder of ['new', 'cur']) {
    for (const name of await namesIn(join(path, folder))) {
      const content = await readFile(join(path, folder, name))
      messages.push({ file: name, isNew: folder === 'new', flags: /:2,([A-Z]*)$/.exec(name)?.[1] ?? '', content })
    }
  }
  return messages.sort((a, b) => (a.file < b.file ? -1 : 1))
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
