/** What must not work from inside the vault. Every attempt that is not refused is a hole. */
import childProcess from 'node:child_process'
import cluster from 'node:cluster'
import dgram from 'node:dgram'
import dns from 'node:dns'
import { type EventEmitter, once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import inspector from 'node:inspector'
import module from 'node:module'
import net, { type Socket } from 'node:net'
import tls from 'node:tls'
import v8 from 'node:v8'
import vm from 'node:vm'
import wasi from 'node:wasi'
import workers from 'node:worker_threads'

/** What the test offers for the attempts. */
export interface Target {
  readonly port: number
  /** One that everybody may read. */
  readonly file: string
  /** One that everybody may write files into. */
  readonly folder: string
  /** A listening Unix socket that everybody may connect to. */
  readonly socket: string
  /** The same in Linux's own name space for sockets, without its first NUL. */
  readonly abstract: string
  /** A shared object, best an add-on of Node. */
  readonly addOn: string
  /** A process that nobody misses. */
  readonly pid: number
}

type Attempt = (target: Target, socket: Socket) => unknown

const until = (emitter: EventEmitter, success: string): Promise<unknown> => once(emitter, success)
const named = (name: string) => Reflect.get(globalThis, name)
const ofProcess = (name: string, ...args: unknown[]) => Reflect.get(process, name).apply(process, args)
const handleOf = (made: object | number) => {
  if (typeof made === 'number') throw new Error('no handle')
  return made
}

const files: Readonly<Record<string, Attempt>> = {
  'read a file': ({ file }) => fs.readFileSync(file),
  'read a file another way': ({ file }) => fs.promises.open(file, 'r'),
  'read a file as a stream': ({ file }) => until(fs.createReadStream(file), 'data'),
  'read a file named in octets': ({ file }) => fs.readFileSync(Buffer.from(file)),
  'read a file named by URL': ({ file }) => fs.readFileSync(new URL(`file://${file}`)),
  'read a file through its code': ({ file }) => fs.readFileSync(`${import.meta.dirname}${'/..'.repeat(20)}${file}`),
  'read a file as a blob': async ({ file }) => (await fs.openAsBlob(file)).text(),
  'read a file of the system': () => fs.readFileSync('/etc/passwd'),
  'see whether a file is there': ({ file }) => fs.statSync(file),
  'read its own environment': () => fs.readFileSync('/proc/self/environ'),
  'read its own memory': () => fs.openSync('/proc/self/mem', 'r'),
  'read its own open files': () => fs.openSync('/proc/self/fd/0', 'r'),
  'read settings': ({ file }) => ofProcess('loadEnvFile', file),
  'list a folder': () => fs.readdirSync('/'),
  'list a folder one by one': () => fs.opendirSync('/'),
  'watch a folder': ({ folder }) => fs.watch(folder).close(),
  'write a file': ({ folder }) => fs.writeFileSync(`${folder}/written`, 'x'),
  'write into its code': () => fs.openSync(import.meta.filename, 'r+'),
  'write a heap snapshot': ({ folder }) => v8.writeHeapSnapshot(`${folder}/heap`),
  'copy a file': ({ file, folder }) => fs.cpSync(file, `${folder}/copy`),
  'make a link': ({ file, folder }) => fs.symlinkSync(file, `${folder}/link`),
  'make a folder': ({ folder }) => fs.mkdtempSync(`${folder}/made`),
  'go to another folder': ({ folder }) => ofProcess('chdir', folder),
  'change a mode': () => fs.fchmodSync(0, 0o666),
}

const processes: Readonly<Record<string, Attempt>> = {
  'start a program': () => childProcess.execFileSync('/bin/true'),
  'start a shell': () => until(childProcess.spawn('sh', ['-c', 'true']), 'exit'),
  'start another vault': ({ file }) => until(childProcess.fork(file), 'exit'),
  'start a cluster': ({ file }) => {
    cluster.setupPrimary({ exec: file })
    return until(cluster.fork(), 'exit')
  },
  'start a thread': () => until(new workers.Worker('', { eval: true }), 'exit'),
  'stop a process': ({ pid }) => ofProcess('kill', pid, 'SIGCONT'),
  'stop a process from inside Node': ({ pid }) => ofProcess('_kill', pid, 0),
  'open the debugger of a process': ({ pid }) => ofProcess('_debugProcess', pid),
  'open the debugger': () => inspector.open(0, '127.0.0.1'),
  'debug itself': () => new inspector.Session().connect(),
  'change its mask': () => ofProcess('umask', 0),
  // To what it is: refused all the same.
  'take a user id': () => ofProcess('setuid', process.getuid!()),
}

const network: Readonly<Record<string, Attempt>> = {
  'connect to a port': ({ port }) => until(net.connect(port, '127.0.0.1'), 'connect'),
  'connect another way': ({ port }) => until(new net.Socket().connect(port, '127.0.0.1'), 'connect'),
  'connect as its socket does': ({ port }, socket) =>
    until((Reflect.construct(socket.constructor, []) as Socket).connect(port, '127.0.0.1'), 'connect'),
  'connect to a socket file': ({ socket: path }) => until(net.connect(path), 'connect'),
  'connect to an abstract socket': ({ abstract }) => until(net.connect(`\0${abstract}`), 'connect'),
  'connect with TLS': ({ port }) => until(tls.connect(port, '127.0.0.1'), 'secureConnect'),
  'take the handle for another': ({ folder }, socket) =>
    new (Reflect.get(socket, '_handle').constructor)(0).bind(`${folder}/pipe`),
  'make a handle for TCP': () => handleOf(Reflect.get(net, '_createServerHandle')('127.0.0.1', 0, 4)),
  'make a handle for UDP': () => handleOf(Reflect.get(dgram, '_createSocketHandle')('127.0.0.1', 0, 'udp4')),
  'fetch by HTTP': ({ port }) => until(http.get(`http://127.0.0.1:${port}/`), 'response'),
  'fetch by HTTP/2': ({ port }) =>
    until(
      http2.connect(`http://127.0.0.1:${port}/`).on('error', () => {}),
      'connect',
    ),
  fetch: ({ port }) => named('fetch')(`http://127.0.0.1:${port}/`),
  'open a web socket': ({ port }) => new (named('WebSocket'))(`ws://127.0.0.1:${port}/`).close(),
  listen: () => until(net.createServer().listen(0, '127.0.0.1'), 'listening'),
  'send a datagram': ({ port }) => dgram.createSocket('udp4').send('x', port, '127.0.0.1'),
  'send a datagram another way': ({ port }) =>
    (Reflect.construct(Reflect.get(dgram, 'Socket'), ['udp4']) as dgram.Socket).send('x', port, '127.0.0.1'),
  'ask the system for a name': () => dns.promises.lookup('localhost'),
  'choose DNS servers': () => dns.setServers(['127.0.0.1:9']),
  'ask DNS': () => new Promise((resolve) => dns.resolve('alpha.test', resolve)),
  'ask DNS with a resolver': () => new dns.promises.Resolver().setServers(['127.0.0.1']),
}

const TEXT_MODULE = 'data:text/javascript,export default 1'
const load = (name: string) => import(name)
/** None of them is loaded by the probe or by what it loads. */
const UNLOADED = ['sqlite', 'repl', 'trace_events', 'test', 'sea', 'inspector/promises'].map((name) => `node:${name}`)

async function loadOneOf(names: readonly string[], how: (name: string) => unknown): Promise<void> {
  let refused: unknown
  for (const name of names) {
    try {
      await how(name)
      return
    } catch (error) {
      refused = error
    }
  }
  throw refused
}

const code: Readonly<Record<string, Attempt>> = {
  'make code from text': () => Reflect.apply(named('eval'), null, ['1 + 1']),
  'make a function from text': () => Reflect.construct(Function, ['return 1'])(),
  'make an async function from text': () => Reflect.construct((async () => {}).constructor, ['return 1'])(),
  'run a script from text': () => vm.runInThisContext('1 + 1'),
  'compile a script': () => new vm.Script('1 + 1'),
  'compile a function': () => vm.compileFunction('return 1'),
  'make a world of its own': () => vm.runInNewContext('1 + 1'),
  'compile a module': ({ file }) =>
    Reflect.get(new module(file), '_compile').call(new module(file), 'globalThis.compiled = true', file),
  'make machine code': () =>
    Reflect.construct(named('WebAssembly').Module, [Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)]),
  'make a WebAssembly world': () => new wasi.WASI({ version: 'preview1', preopens: { '/': '/' } }),
  'import text': () => load(TEXT_MODULE),
  'import from the network': ({ port }) => load(`http://127.0.0.1:${port}/module.js`),
  'import a file': ({ file }) => load(`file://${file}.mjs`),
  'import one of Node': () => loadOneOf(UNLOADED, load),
  'take one of Node': () => loadOneOf(UNLOADED, (name) => ofProcess('getBuiltinModule', name)),
  'require one of Node': () => loadOneOf(UNLOADED, (name) => module.createRequire(import.meta.url)(name)),
  'require a file': ({ file }) => module.createRequire(import.meta.url)(`${file}.cjs`),
  'hook into the loader': () => module.registerHooks({}),
  'hook into the loader on a thread': () => module.register(TEXT_MODULE),
  'load an add-on': ({ addOn }) => ofProcess('dlopen', { exports: {} }, addOn),
  'reach Node inside': () => ofProcess('binding', 'tcp_wrap'),
  'reach Node inside another way': () => ofProcess('_linkedBinding', 'tcp_wrap'),
  'write a heap snapshot later': () => v8.setHeapSnapshotNearHeapLimit(1),
  'write a report': ({ folder }) => Reflect.get(process, 'report').writeReport(`${folder}/report`),
}

/** Tried only where it is refused: what succeeds with it cannot tell. */
const ending: Readonly<Record<string, Attempt>> = {
  'become another program': () => ofProcess('execve', '/bin/true', ['/bin/true']),
}

export const attemptsOf = (isFree: boolean): Readonly<Record<string, Attempt>> => ({
  ...files,
  ...processes,
  ...network,
  ...code,
  ...(isFree ? {} : ending),
})

/** Files that it was born with, by number; sockets, pipes and the like are no files. */
export function inherited(): readonly number[] {
  return Array.from({ length: 64 }, (_, fd) => fd).filter((fd) => {
    try {
      return fs.fstatSync(fd).isFile()
    } catch {
      return false
    }
  })
}
