import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadKeyFile } from './key-file.ts'

test('a key is made once, for its owner alone, and a damaged one is not replaced', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'letterlock-key-'))
  try {
    const path = join(directory, 'one.key')
    const [first, second] = await Promise.all([loadKeyFile(path), loadKeyFile(path)])
    assert.deepEqual(first, second)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    await writeFile(path, 'short')
    await assert.rejects(loadKeyFile(path), /damaged: 5 octets instead of 32/)
  } finally {
    await rm(directory, { recursive: true })
  }
})
