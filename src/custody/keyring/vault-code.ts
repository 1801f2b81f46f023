/**
 * The vault's code as plain JavaScript in a folder of its own: exactly the modules that it imports, types stripped. That folder
 * is all that the vault may read. Without types to strip it needs neither Node's stripper, which is 20 MB of memory, nor
 * WebAssembly, so that it can run with `--jitless`: no executable memory in the process that has the keys.
 */
import { hash } from 'node:crypto'
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join, normalize } from 'node:path'

/** Module names as the source has them; `import type` leaves nothing to run. */
const IMPORT = /^(?:import|export)\s(?!type\s)[^']*?'([#.][^']+\.ts)'/gm

/** Paths below src of the entry and of all that it imports, with their sources. */
export async function moduleSources(source: string, entry: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const waiting = [entry]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue
    const text = await readFile(join(source, path), 'utf8')
    found.set(path, text)
    for (const [, name] of text.matchAll(IMPORT)) {
      waiting.push(name!.startsWith('#') ? name!.slice(1) : normalize(join(dirname(path), name!)))
    }
  }
  return found
}

/** Changes with the sources and with the Node that runs them. */
export function codeVersion(sources: ReadonlyMap<string, string>): string {
  const texts = [...sources].sort(([a], [b]) => (a < b ? -1 : 1)).flat()
  return hash('sha256', JSON.stringify([process.version, ...texts])).slice(0, 16)
}

const toJavaScript = (path: string) => path.replace(/\.ts$/, '.js')

/** Writes the code into a new folder beside `target` and gives it its name when it is whole. Where `target` is, it stays. */
export async function writeCode(sources: ReadonlyMap<string, string>, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  const folder = await mkdtemp(`${target}.`)
  for (const [path, text] of sources) {
    const file = join(folder, 'src', toJavaScript(path))
    await mkdir(dirname(file), { recursive: true, mode: 0o755 })
    const stripped = stripTypeScriptTypes(text).replace(IMPORT, (statement) => statement.replace(/\.ts'$/, ".js'"))
    await writeFile(file, stripped, { mode: 0o644 })
  }
  await chmod(folder, 0o755)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', imports: { '#*': './src/*' } }))
  await rename(folder, target).catch(async (error: NodeJS.ErrnoException) => {
    await rm(folder, { recursive: true })
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
  })
}

export const entryOf = (folder: string, entry: string): string => join(folder, 'src', toJavaScript(entry))

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
