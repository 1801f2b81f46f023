import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WhenNeeded } from './when-needed.ts'

function counted() {
  const seen: string[] = []
  const trouble: Error[] = []
  const made = new WhenNeeded(async () => {
    seen.push('open')
    const error = trouble.pop()
    if (error) throw error
    return { [Symbol.asyncDispose]: async () => void seen.push('close') }
  })
  return { made, seen, trouble }
}

test('opened once, by the first who needs it, and closed with it', async () => {
  const { made, seen } = counted()
  assert.deepEqual(seen, [])
  const [one, other] = await Promise.all([made.get(), made.get()])
  assert.equal(one, other)
  await made[Symbol.asyncDispose]()
  assert.deepEqual(seen, ['open', 'close'])
  await assert.rejects(made.get(), /stopping/)
})

test('what could not be opened is tried again', async () => {
  const { made, seen, trouble } = counted()
  trouble.push(new Error('disk'))
  await assert.rejects(made.get(), /disk/)
  await made.get()
  assert.deepEqual(seen, ['open', 'open'])
})

test('what nobody needed is not opened to be closed', async () => {
  const { made, seen } = counted()
  await made[Symbol.asyncDispose]()
  assert.deepEqual(seen, [])
})
