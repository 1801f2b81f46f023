/** The program of a front, which the main process starts (front-process.ts). */
import type { Socket } from 'node:net'
import { Front } from './front.ts'
import type { FromFront, ToFront } from './front-wire.ts'

// A terminal or a service manager tells all processes; only the main one decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

function say(message: FromFront): void {
  // Without the main process there is nobody to hear it.
  if (process.connected) process.send!(message, undefined, {}, () => {})
}

let opening: Promise<Front> | null = null

async function leave(graceMs: number): Promise<void> {
  const front = await opening?.catch(() => null)
  await front?.stop(graceMs)
  if (process.connected) process.disconnect()
}

async function hear(message: ToFront, socket: Socket | undefined): Promise<void> {
  if (message.to === 'begin') {
    opening = Front.open(message.config, message.front, say)
    await opening
    say({ from: 'ready' })
  } else if (message.to === 'stop') await leave(message.graceMs)
  else (await opening)?.hear(message, socket)
}

process.on('disconnect', () => void leave(0))
process.on('message', (message: ToFront, socket: Socket | undefined) => {
  hear(message, socket).catch((error: Error) => {
    process.stderr.write(`letterlock: a front process failed: ${error.stack ?? error.message}\n`)
    process.exitCode = 1
    process.disconnect()
  })
})
