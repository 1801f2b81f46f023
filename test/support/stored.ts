/** What lies on the disk, read without any of our code: for tests that say what a thief of the disk, or a later program, would find. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Anything stored that begins as an encrypted OpenPGP message does: with a PKESK packet (RFC 9580 §4.2, type ID 1). */
export async function sealedBlobs(data: string): Promise<Buffer[]> {
  const found: Buffer[] = []
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile()) continue
    if (entry.name.endsWith('.db')) found.push(...blobsIn(path))
    else if (path.includes('/accounts/')) found.push(await readFile(path))
  }
  return found.filter((blob) => blob[0] === 0xc1 || (blob[0]! & 0xfc) === 0x84)
}

function blobsIn(path: string): Buffer[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    return tables.flatMap(({ name }) =>
      database
        .prepare(`SELECT * FROM "${String(name)}"`)
        .all()
        .flatMap((row) => Object.values(row))
        .filter((value) => value instanceof Uint8Array && value.length > 0)
        .map((value) => Buffer.from(value as Uint8Array)),
    )
  } finally {
    database.close()
  }
}
