/**
 * Directories that remove themselves: `await using dir = await temporaryDirectory()`, or, for a whole file,
 * `const dir = await temporaryDirectory(); after(() => dir[Symbol.asyncDispose]())`.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
  /** The path of something inside. */
  join(...names: string[]): string
}

/** `name` helps to recognise a directory that a killed test left behind. Others may enter it when `open` (peers with their own uid). */
export async function temporaryDirectory(name = 'test', open = false): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `letterlock-${name}-`))
  if (open) await chmod(path, 0o755)
  return {
    path,
    join: (...names) => join(path, ...names),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  }
}
