import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { claimFile } from './sqlite-claim.ts'

test('one at a time has a file, and the next one when that is over', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'claim')
  {
    using first = claimFile(path)
    assert.ok(first)
    assert.equal(claimFile(path), null)
    assert.equal(claimFile(path), null, 'who was refused has taken nothing from who has it')
    using other = claimFile(join(directory.path, 'other'))
    assert.ok(other)
  }
  using next = claimFile(path)
  assert.ok(next)
  const { size, mode } = await stat(path)
  assert.deepEqual([size, mode & 0o777], [0, 0o600])
})

test('a process that dies has nothing any more', { timeout: 120_000 }, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'claim')
  const take = `
    import { claimFile } from ${JSON.stringify(join(import.meta.dirname, 'sqlite-claim.ts'))}
    const claim = claimFile(${JSON.stringify(path)})
    console.log(claim === null ? 'refused' : 'taken')
    process.stdin.resume()`
  const other = spawn(process.execPath, ['--input-type=module', '-e', take], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = await once(other.stdout, 'data')
  assert.equal(String(said), 'taken\n')
  assert.equal(claimFile(path), null)
  other.kill('SIGKILL')
  await once(other, 'exit')
  using claim = claimFile(path)
  assert.ok(claim)
})
