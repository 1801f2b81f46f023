import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { untilInputEnds } from './end-of-input.ts'

const asking = (input: EventEmitter) =>
  untilInputEnds(input, async (signal) => {
    if (!signal.aborted) await once(signal, 'abort')
    return 'cancelled'
  })

test('Ctrl-D and the end of the input cancel a prompt, and nothing stays behind', async () => {
  const input = new EventEmitter()
  for (const end of [() => input.emit('keypress', '\x04', { ctrl: true, name: 'd' }), () => input.emit('end')]) {
    const asked = asking(input)
    end()
    assert.equal(await asked, 'cancelled')
    assert.deepEqual(input.eventNames(), [])
  }
})

test('a d, and a key without a name, are typed', async () => {
  const input = new EventEmitter()
  const asked = untilInputEnds(input, async (signal) => {
    input.emit('keypress', 'd', { ctrl: false, name: 'd' })
    input.emit('keypress', 'é', undefined)
    return signal.aborted
  })
  assert.equal(await asked, false)
})
