import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { connectDialog, playDialog } from './dialog.ts'
import { selfSigned } from './tls.ts'

async function serving(serve: (socket: Socket) => void, run: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run((server.address() as AddressInfo).port)
  } finally {
    server.close()
  }
}

/** Says hello and sends every octet back. */
const echo = (socket: Socket) => {
  socket.on('error', () => {})
  socket.write('hello\r\n')
  socket.pipe(socket)
}

test('lines, wildcards, escapes, skipped lines and the end', () =>
  serving(echo, (port) =>
    playDialog(
      { port },
      `
      S: he…o
      C: one
      C: two
      C> th\\x72ee\\r\\n
      # a remark
      S: ...
      S: t…o
      S: three
      SILENCE
      C:
      S: …
      CLOSE
      CLOSED
      `,
    ).then((lines) => assert.deepEqual(lines, ['hello', 'one', 'two', 'three', ''])),
  ))

test('a mismatch shows what went before', () =>
  serving(echo, (port) =>
    assert.rejects(playDialog({ port }, 'S: hello\nC: one\nS: two'), (error: Error) => {
      assert.match(error.message, /expected S: two\n\s+got S: one\nafter:\nS: hello\nC: one/)
      return true
    }),
  ))

test('a server that says nothing, or ends, fails the step', async () => {
  await serving(
    () => {},
    (port) => assert.rejects(playDialog({ port, patience: 20 }, 'S: hello'), /nothing more in time/),
  )
  await serving(
    (socket) => socket.end(),
    (port) => assert.rejects(playDialog({ port }, 'S: hello'), /closed the connection/),
  )
})

test('TLS in the middle of a connection', async () => {
  const { key, cert } = selfSigned('localhost', '127.0.0.1')
  const upgrade = (socket: Socket) => {
    socket.once('data', () => {
      socket.write('go\r\n')
      echo(new TLSSocket(socket, { isServer: true, key, cert }))
    })
  }
  await serving(upgrade, async (port) => {
    await using talk = await connectDialog({ port, tlsOptions: { ca: cert, servername: 'localhost' } })
    await talk.play('C: upgrade\nS: go\nTLS\nS: hello\nC: sealed\nS: sealed')
  })
})
