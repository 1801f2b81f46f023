/** A client that asks for more and more, and takes nothing of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { Dialog } from './dialog.ts'
import type { FakeClock } from './fake-clock.ts'

/** The server holds little for it, reads nothing more of what it sends, and ends it. `stallMs`: its patience. */
export async function endsUnread(talk: Dialog, clock: FakeClock, requests: string, stallMs: number): Promise<void> {
  talk.socket.pause()
  talk.send(requests)
  const before = process.memoryUsage().arrayBuffers
  // Until the server waits for the client to read.
  while (clock.waiting === 0 || talk.socket.readableLength === 0) await setImmediate()
  for (let i = 0; i < 200; i++) await setImmediate()
  const grown = process.memoryUsage().arrayBuffers - before
  assert.ok(grown < 30_000_000, `${grown} octets for answers that nobody reads`)
  const closed = once(talk.socket, 'close')
  // Anything may be taken by the sockets' own buffers; nothing more is taken after that.
  for (let i = 0; i < 5; i++) await clock.advance(stallMs + 1000)
  talk.socket.resume()
  await closed
}
