/**
 * What the launch flags leave open, closed from inside, for code that could get to run here:
 *
 *   connections     the keyring starts the vault without a network where the system lets it (keyring/launch.ts); this is the
 *                   wall where it does not, and the second one where it does
 *   modules         Node's permissions do not reach all that its modules can do: `node:sqlite` writes files past them,
 *                   `node:repl` and data: URLs run code from text. What the vault needs is loaded by now; nothing more is
 *   code from text  `node:vm` compiles whatever V8's own flag says
 *   processes       signals to others; ids, limits and folders of its own
 *
 * It holds against code that uses Node, which is all that can run here: no add-ons, no code from strings, no children. A module
 * that the vault's code imports by itself is there before this is called: which ones those may be is a test (keyring/vault-walls.test.ts).
 */
import dgram from 'node:dgram'
import dns from 'node:dns'
import module, { registerHooks, syncBuiltinESMExports } from 'node:module'
import net, { type Socket } from 'node:net'
import vm from 'node:vm'

/** As Node's own permission errors read. */
class Refused extends Error {
  override readonly name = 'Refused'
  readonly code = 'ERR_ACCESS_DENIED'
}

function refuse(): never {
  throw new Refused('the vault may not do this')
}

/** Replaces these properties of the object for good. */
function close(object: object, names: readonly string[]): void {
  for (const name of names) {
    const property = Object.getOwnPropertyDescriptor(object, name)
    if (property && !property.configurable) continue
    Object.defineProperty(object, name, { value: refuse, writable: false, configurable: false, enumerable: true })
  }
}

/** Names of the functions that an object has itself. */
function functionsOf(object: object): readonly string[] {
  const isFunction = (name: string) => typeof Object.getOwnPropertyDescriptor(object, name)?.value === 'function'
  return Object.getOwnPropertyNames(object).filter(isFunction)
}

/** Names of an object's own and inherited methods. */
function methodsOf(prototype: object): readonly string[] {
  const names: string[] = []
  for (let one = prototype; one !== Object.prototype; one = Object.getPrototypeOf(one)) names.push(...functionsOf(one))
  return names.filter((name) => name !== 'constructor')
}

/** Of `process`: what reaches others, changes what it is, or hands out what is inside. */
const PROCESS = [
  'kill _kill _debugProcess _debugEnd execve dlopen binding _linkedBinding getBuiltinModule loadEnvFile report',
  'chdir umask setuid setgid seteuid setegid setgroups initgroups',
].flatMap((names) => names.split(' '))

function closeNetwork(socket: Socket): void {
  close(net.Socket.prototype, ['connect'])
  close(net.Server.prototype, ['listen'])
  close(dgram.Socket.prototype, ['bind', 'connect', 'send', 'sendto'])
  for (const { prototype } of [dns.Resolver, dns.promises.Resolver]) close(prototype, methodsOf(prototype))
  for (const exported of [dns.promises, dns, net, dgram]) close(exported, functionsOf(exported))
  // The handle's class could make and connect others.
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle === 'object' && handle !== null) {
    close(Object.getPrototypeOf(handle), ['connect', 'bind', 'listen', 'open', 'fchmod'])
  }
}

/** Call it when the one socket stands and everything is loaded; afterwards no other can be made, connected or listened on. */
export function confine(socket: Socket): void {
  closeNetwork(socket)
  registerHooks({ resolve: refuse })
  close(module.prototype, functionsOf(module.prototype))
  for (const exported of [module, vm]) close(exported, functionsOf(exported))
  close(process, PROCESS)
  // Looking at one of these, even to replace it, loads 8 MB.
  for (const name of ['fetch', 'WebSocket', 'EventSource']) Reflect.deleteProperty(globalThis, name)
  syncBuiltinESMExports()
}
