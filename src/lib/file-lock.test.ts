import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { withFileLock } from './file-lock.ts'

test('one change at a time, in this process and others, and none is blocked by a holder that died', async () => {
  await using folder = await temporaryDirectory('lock')
  const path = folder.join('one.lock')
  let running = 0
  const run = () =>
    withFileLock(path, async () => {
      assert.equal(++running, 1)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return 'done'
    })
  assert.deepEqual(await Promise.all([run(), run(), run()]), ['done', 'done', 'done'])
  await assert.rejects(
    withFileLock(path, () => Promise.reject(new Error('failed'))),
    /failed/,
  )
  const holder = spawn('flock', ['--exclusive', '--no-fork', path, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
  holder.stdin.write('\n')
  await once(holder.stdout, 'data')
  const waiting = run()
  holder.kill('SIGKILL')
  assert.equal(await waiting, 'done')
  await assert.rejects(
    withFileLock(folder.join('nowhere', 'one.lock'), async () => 'done'),
    /cannot be locked/,
  )
})
