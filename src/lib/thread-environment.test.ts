import assert from 'node:assert/strict'
import { enableCompileCache } from 'node:module'
import { test } from 'node:test'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { threadEnvironment } from './thread-environment.ts'

test('a thread keeps compiled code where the program does, and knows nothing else of its environment', async () => {
  await using directory = await temporaryDirectory('compiled')
  enableCompileCache(directory.path)
  assert.deepEqual(Object.keys(threadEnvironment()), ['NODE_COMPILE_CACHE'])
  const inherited = process.env['NODE_COMPILE_CACHE']
  assert.equal(threadEnvironment()['NODE_COMPILE_CACHE'], inherited ?? directory.path)
})
