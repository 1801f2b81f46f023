import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admission } from './admission.ts'

const untilNever = new AbortController().signal

test('who waits too long is told so, and never begins', async () => {
  const admission = new Admission()
  const ends = Array.from({ length: 8 }, () => Promise.withResolvers<string>())
  const running = ends.map(({ promise }) => admission.run(1, untilNever, () => promise))
  const late = new AbortController()
  let begun = false
  const waiting = admission.run(1, late.signal, async () => {
    begun = true
  })
  late.abort()
  await assert.rejects(waiting, { name: 'Busy' })
  const next = admission.run(1, untilNever, async () => 'next')
  for (const { resolve } of ends) resolve('done')
  assert.deepEqual(await Promise.all(running), new Array(8).fill('done'))
  assert.equal(await next, 'next')
  assert.equal(begun, false)
})

test('room for octets comes back, also after errors', async () => {
  const admission = new Admission()
  const most = 256 * 1024 ** 2
  for (let time = 0; time < 2; time++) {
    const broken = admission.run(most, untilNever, () => Promise.reject(new Error('broken')))
    await assert.rejects(
      admission.run(1, untilNever, async () => {}),
      { name: 'Busy' },
    )
    await assert.rejects(broken, { message: 'broken' })
  }
})
