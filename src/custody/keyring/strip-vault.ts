/** A program of its own, so that the type stripper's memory goes when it ends: `node strip-vault.ts SOURCE ENTRY TARGET`. */
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemClock } from '#lib/clock.ts'
import { moduleSources, writeCode } from './vault-code.ts'

const [source, entry, target] = process.argv.slice(2)
if (source === undefined || entry === undefined || target === undefined) throw new Error('SOURCE ENTRY TARGET')
// The vault may have another uid, which reads this as "others".
process.umask(0o022)
await writeCode(await moduleSources(source, entry), target)

/** Code of versions that nobody has started for this long goes. */
const KEPT_MS = 7 * 24 * 3600 * 1000
const folder = dirname(target)
for (const name of await readdir(folder)) {
  const path = join(folder, name)
  if (!name.startsWith('vault-') || name === basename(target)) continue
  const { mtimeMs } = await stat(path)
  if (systemClock.now() - mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true })
}
