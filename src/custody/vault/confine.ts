/**
 * What the launch flags leave open, closed from inside: connections. The keyring starts the vault without a network where the
 * system lets it (keyring/launch.ts); this is the wall where it does not, and the second one where it does. It holds against
 * code that uses Node's modules, which is all that can run here: no add-ons, no code from strings, no children.
 */
import dgram from 'node:dgram'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import net, { type Socket } from 'node:net'

/** As Node's own permission errors read. */
class Refused extends Error {
  override readonly name = 'Refused'
  readonly code = 'ERR_ACCESS_DENIED'
}

function refuse(): never {
  throw new Refused('the vault has no network')
}

/** Replaces these functions of the object for good. */
function close(object: object, names: readonly string[]): void {
  for (const name of names) {
    if (typeof Reflect.get(object, name) !== 'function') continue
    Object.defineProperty(object, name, { value: refuse, writable: false, configurable: false, enumerable: true })
  }
}

/** Names of an object's own and inherited methods. */
function methodsOf(prototype: object): readonly string[] {
  const names: string[] = []
  for (let one = prototype; one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    names.push(...Object.getOwnPropertyNames(one))
  }
  return names.filter(isMethod)
}

const isMethod = (name: string) => name !== 'constructor' && name !== 'Resolver' && name !== 'promises'

/** Call it when the one socket stands; afterwards no other can be made, connected or listened on. */
export function confine(socket: Socket): void {
  close(net.Socket.prototype, ['connect'])
  close(net.Server.prototype, ['listen'])
  close(dgram.Socket.prototype, ['bind', 'connect', 'send', 'sendto'])
  for (const { prototype } of [dns.Resolver, dns.promises.Resolver]) close(prototype, methodsOf(prototype))
  close(dns.promises, Object.keys(dns.promises).filter(isMethod))
  close(dns, Object.keys(dns).filter(isMethod))
  close(net, ['connect', 'createConnection', 'createServer', 'Server'])
  close(dgram, ['createSocket'])
  // The handle's class could make and connect others.
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle === 'object' && handle !== null) {
    close(Object.getPrototypeOf(handle), ['connect', 'bind', 'listen', 'open'])
  }
  syncBuiltinESMExports()
}
