/**
 * DNS as a plain object, for tests:
 *
 *     createFakeResolver({
 *       'beta.test': { mx: [{ preference: 10, exchange: 'mx.beta.test' }], secure: true },
 *       'mx.beta.test': { addresses: ['127.0.0.2'], secure: true },
 *       'bad.test': 'bogus',
 *       'slow.test': 'temporary',
 *     })
 *
 * A name that is not there does not exist; a type that its name does not have is NODATA. The zone may be changed while the
 * resolver is in use.
 */
import type {
  AssociationRecord,
  CaaRecord,
  DnsAnswer,
  MxRecord,
  RecordResolver,
  SrvRecord,
} from '#policy/dns/resolver.ts'

export interface FakeName {
  /** Whether answers about this name are DNSSEC-authenticated; not by default. */
  readonly secure?: boolean
  readonly ttl?: number
  readonly mx?: readonly MxRecord[]
  readonly addresses?: readonly string[]
  readonly txt?: readonly string[]
  readonly srv?: readonly SrvRecord[]
  readonly tlsa?: readonly AssociationRecord[]
  readonly smimea?: readonly AssociationRecord[]
  readonly caa?: readonly CaaRecord[]
  readonly openpgpkey?: readonly Buffer[]
  /** Under the IP address itself. */
  readonly ptr?: readonly string[]
}

export type FakeZone = Record<string, FakeName | 'bogus' | 'temporary'>

export interface FakeResolver extends RecordResolver {
  /** What was asked, as `type name`, in order. */
  readonly asked: readonly string[]
}

type Types = Exclude<keyof FakeName, 'secure' | 'ttl'>

export function createFakeResolver(zone: FakeZone): FakeResolver {
  const asked: string[] = []
  const look = async <T extends Types>(
    type: T,
    given: string,
  ): Promise<DnsAnswer<NonNullable<FakeName[T]>[number]>> => {
    const name = given.toLowerCase()
    asked.push(`${type} ${name}`)
    const found = Object.hasOwn(zone, name) ? zone[name]! : null
    if (found === 'bogus') return { kind: 'bogus' }
    if (found === 'temporary') return { kind: 'temporary', why: 'no answer in time' }
    const { secure = false, ttl = 300 } = found ?? {}
    if (!found) return { kind: 'nxdomain', secure, ttl }
    return { kind: 'answer', secure, ttl, records: found[type] ?? [] }
  }
  return {
    asked,
    mx: (domain) => look('mx', domain),
    addresses: (host) => look('addresses', host),
    txt: (name) => look('txt', name),
    srv: (name) => look('srv', name),
    tlsa: (name) => look('tlsa', name),
    smimea: (name) => look('smimea', name),
    caa: (name) => look('caa', name),
    openpgpkey: (name) => look('openpgpkey', name),
    ptr: (ip) => look('ptr', ip),
  }
}
