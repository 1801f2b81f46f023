/**
 * Started in the vault's place, with the vault's flags: tries from the inside what the vault must not be able to do, and tells
 * through the socket what happened. Every attempt that is not refused is a hole. With `--free` it does not confine itself, so
 * that a test can see that the same attempts succeed, or fail for other reasons, without the walls.
 */
import childProcess from 'node:child_process'
import dgram from 'node:dgram'
import dns from 'node:dns'
import { type EventEmitter, once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import inspector from 'node:inspector'
import net from 'node:net'
import v8 from 'node:v8'
import workers from 'node:worker_threads'
import { confine } from '../../src/custody/vault/confine.ts'

/** What the test offers for the attempts. */
interface Target {
  readonly port: number
  /** One that everybody may read. */
  readonly file: string
  /** One that everybody may write files into. */
  readonly folder: string
  /** A listening Unix socket that everybody may connect to. */
  readonly socket: string
}

const socket = new net.Socket({ fd: 3, readable: true, writable: true })
if (!process.argv.includes('--free')) confine(socket)

const until = (emitter: EventEmitter, success: string): Promise<unknown> => once(emitter, success)
const named = (name: string) => Reflect.get(globalThis, name)

const attempts: Readonly<Record<string, (target: Target) => unknown>> = {
  'read a file': ({ file }) => fs.readFileSync(file),
  'read a file of the system': () => fs.readFileSync('/etc/passwd'),
  'read its own environment': () => fs.readFileSync('/proc/self/environ'),
  'read its own memory': () => fs.openSync('/proc/self/mem', 'r'),
  'list a folder': () => fs.readdirSync('/'),
  'write a file': ({ folder }) => fs.writeFileSync(`${folder}/written`, 'x'),
  'write into its code': () => fs.openSync(import.meta.filename, 'r+'),
  'make a link': ({ file, folder }) => fs.symlinkSync(file, `${folder}/link`),
  'start a program': () => childProcess.execFileSync('/bin/true'),
  'start a shell': () => until(childProcess.spawn('sh', ['-c', 'true']), 'exit'),
  'start a thread': () => until(new workers.Worker('', { eval: true }), 'exit'),
  'connect to a port': ({ port }) => until(net.connect(port, '127.0.0.1'), 'connect'),
  'connect another way': ({ port }) => until(new net.Socket().connect(port, '127.0.0.1'), 'connect'),
  'connect to a socket file': ({ socket: path }) => until(net.connect(path), 'connect'),
  'take the handle for another': ({ folder }) =>
    new (Reflect.get(socket, '_handle').constructor)(0).bind(`${folder}/pipe`),
  'fetch by HTTP': ({ port }) => until(http.get(`http://127.0.0.1:${port}/`), 'response'),
  fetch: ({ port }) => fetch(`http://127.0.0.1:${port}/`),
  listen: () => until(net.createServer().listen(0, '127.0.0.1'), 'listening'),
  'send a datagram': ({ port }) => dgram.createSocket('udp4').send('x', port, '127.0.0.1'),
  'ask the system for a name': () => dns.promises.lookup('localhost'),
  'ask DNS': () => new Promise((resolve) => dns.resolve('alpha.test', resolve)),
  'ask DNS with a resolver': () => new dns.promises.Resolver().setServers(['127.0.0.1']),
  'make code from text': () => Reflect.apply(named('eval'), null, ['1 + 1']),
  'make a function from text': () => Reflect.construct(Function, ['return 1'])(),
  'make machine code': () =>
    Reflect.construct(named('WebAssembly').Module, [Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)]),
  'open the debugger': () => inspector.open(0, '127.0.0.1'),
  'reach Node inside': () => Reflect.get(process, 'binding').call(process, 'tcp_wrap'),
  'write a heap snapshot': ({ folder }) => v8.writeHeapSnapshot(`${folder}/heap`),
  'write a report': ({ folder }) => process.report.writeReport(`${folder}/report`),
}

async function attempt(name: string, target: Target): Promise<string> {
  try {
    await attempts[name]!(target)
    return 'done'
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error)
    return (cause as NodeJS.ErrnoException).code ?? cause.name
  }
}

socket.once('data', (line: Buffer) => {
  const target: Target = JSON.parse(line.toString())
  const all = Object.keys(attempts).map(async (name) => [name, await attempt(name, target)])
  void Promise.all(all).then((results) => {
    const answer = { environment: Object.keys(process.env), results: Object.fromEntries(results) }
    socket.end(JSON.stringify(answer), () => process.exit(0))
  })
})
