/** A program of its own, so that the type stripper's memory goes when it ends: `node strip-vault.ts SOURCE ENTRY TARGET`. */
import { moduleSources, writeCode } from './vault-code.ts'

const [source, entry, target] = process.argv.slice(2)
if (source === undefined || entry === undefined || target === undefined) throw new Error('SOURCE ENTRY TARGET')
// The vault may have another uid, which reads this as "others".
process.umask(0o022)
await writeCode(await moduleSources(source, entry), target)
