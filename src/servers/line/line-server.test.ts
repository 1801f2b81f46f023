import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { silentLogger } from '#lib/log.ts'
import { createMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { type LineConnection, LineServer } from './line-server.ts'

/** Waits for the client to go. */
function waiting(socket: Socket): LineConnection {
  const done = new Promise<void>((resolve) => socket.resume().once('close', () => resolve()))
  return { done, run: () => done, leave: () => socket.destroy(), destroy: () => socket.destroy() }
}

test('a client that comes, and goes, is work that may leave something to collect', async () => {
  const heard: string[] = []
  let hear = Promise.withResolvers<void>()
  const server = new LineServer({
    protocol: 'test',
    implicitTls: false,
    limits: { connections: 1, connectionsPerAddress: 1, connectionsBeforeLogin: 1, connectionsPerAccount: 1 },
    refusal: '',
    connect: waiting,
    clock: createFakeClock(0),
    logger: silentLogger,
    metrics: createMetrics(),
    settling: {
      worked() {
        heard.push('worked')
        hear.resolve()
      },
    },
  })
  const port = await server.listen('127.0.0.1', 0)
  const client = connect(port, '127.0.0.1')
  await hear.promise
  hear = Promise.withResolvers()
  client.destroy()
  await hear.promise
  assert.deepEqual(heard, ['worked', 'worked'])
  await server.stop(0)
})
