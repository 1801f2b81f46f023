/**
 * Several providers on one machine that find each other as on the Internet: each a whole Letterlock on a loopback address of its own,
 * all with the same port for mail, their domains in one DNS. The records are those that `letterlock domain records` prints. They are
 * served by Knot from really signed zones and validated by Unbound, or by a resolver that pretends (fake-dns.ts).
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type FakeDnsZone, startFakeDns, type ZoneRecord } from './fake-dns.ts'
import { startDnssecLab, type ZoneState } from './peers/dnssec.ts'
import { freePort, ownLoopback } from './peers/run.ts'
import { makeProvider, type Provider, type ProviderAccount } from './provider.ts'
import { startWireTap, type WireTap } from './wire-tap.ts'

/** Of a zone: really signed ones know secure, insecure and bogus. */
export type NameState = FakeDnsZone['state']

export interface WorldOptions {
  readonly directory: string
  /** Domains with a provider and their accounts. They are directly below "test". */
  readonly providers: Readonly<Record<string, readonly ProviderAccount[]>>
  /** `signed` needs Knot and Unbound. */
  readonly names: 'signed' | 'fake'
  /** Of every provider, as for `makeProvider`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Domains without a provider, by name: their records. */
  readonly others?: Readonly<Record<string, readonly ZoneRecord[]>>
  /** Records of keys in the zones of the providers too (OPENPGPKEY); the keyservers have them anyway. */
  readonly keysInDns?: boolean
  /** A port for mail that is known beforehand, for servers of the test's own. */
  readonly mailPort?: number
}

export interface World extends AsyncDisposable {
  readonly providers: Readonly<Record<string, Provider>>
  /** Mail to each domain goes through its tap, where nobody offers TLS. */
  readonly wires: Readonly<Record<string, WireTap>>
  readonly mailPort: number
  /** Of the validating resolver, as `address:port`. */
  readonly resolver: string
  /** Publishes all records again as they are now, with the zones in these states; a zone that is not named is secure. */
  publish(states?: Readonly<Record<string, NameState>>): Promise<void>
}

interface Names extends AsyncDisposable {
  readonly resolver: string
  publish(zones: Readonly<Record<string, FakeDnsZone>>): Promise<void>
}

const APEX = 'test'

/** Makes it, and starts everything. */
export async function startWorld(options: WorldOptions): Promise<World> {
  await using stack = new AsyncDisposableStack()
  // Any port that is free on one address of ours is free on all of them.
  const mailPort = options.mailPort ?? (await freePort(ownLoopback()))
  const made = await Promise.all(
    Object.entries(options.providers).map(async ([domain, accounts]) => {
      const settings = { ...options.settings, 'ports.smtp': `${mailPort}`, 'relay.port': `${mailPort}` }
      const place = join(options.directory, domain)
      return [domain, stack.use(await makeProvider({ directory: place, domain, accounts, settings }))] as const
    }),
  )
  const wires: Record<string, WireTap> = {}
  for (const [domain, { host }] of made) {
    const tap = { host: ownLoopback(), port: mailPort, server: { host, port: mailPort }, hidesTls: true }
    wires[domain] = stack.use(await startWireTap(tap))
  }
  const zonesIn = async (states: Readonly<Record<string, NameState>>) => {
    const zones: Record<string, FakeDnsZone> = {}
    for (const [domain, records] of Object.entries(options.others ?? {}))
      zones[domain] = { state: states[domain] ?? 'secure', records }
    for (const [domain, provider] of made) {
      const args = ['domain', 'records', domain, ...(options.keysInDns ? ['--keys'] : [])]
      const records = tapped(await provider.json<ZoneRecord[]>(args), domain, wires[domain]!)
      zones[domain] = { state: states[domain] ?? 'secure', records }
    }
    return zones
  }
  const zones = await zonesIn({})
  const makeNames = options.names === 'signed' ? signedNames : fakeNames
  const names = stack.use(await makeNames(join(options.directory, 'names'), zones))
  const trust = JSON.stringify(made.map(([, provider]) => provider.ca))
  await Promise.all(
    made.map(async ([, provider]) => {
      const dns = { 'dns.servers': `["${names.resolver}"]`, 'dns.validating': 'true' }
      await provider.configure({ ...dns, 'tls.trust': trust })
      await provider.start()
    }),
  )
  const running = stack.move()
  return {
    providers: Object.fromEntries(made),
    wires,
    mailPort,
    resolver: names.resolver,
    publish: async (states = {}) => names.publish(await zonesIn(states)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** The mail host of the domain is the tap; everything else stays where it is. */
function tapped(records: readonly ZoneRecord[], domain: string, tap: WireTap): ZoneRecord[] {
  const host = `wire.${domain}.`
  const others = records.filter(({ type }) => type !== 'MX')
  return [
    ...others,
    { name: `${domain}.`, type: 'MX', value: `10 ${host}` },
    { name: host, type: 'A', value: tap.host },
  ]
}

async function fakeNames(_place: string, zones: Readonly<Record<string, FakeDnsZone>>): Promise<Names> {
  const dns = await startFakeDns(ownLoopback())
  const publish: Names['publish'] = async (content) => {
    for (const [name, zone] of Object.entries(content)) dns.zones.set(name, zone)
  }
  await publish(zones)
  return { resolver: dns.address, publish, [Symbol.asyncDispose]: () => dns[Symbol.asyncDispose]() }
}

const SIGNED_AS: Readonly<Record<NameState, ZoneState>> = {
  secure: 'secure',
  insecure: 'insecure',
  bogus: 'bad-signature',
  failing: 'bad-signature',
}

async function signedNames(place: string, zones: Readonly<Record<string, FakeDnsZone>>): Promise<Names> {
  await mkdir(place, { recursive: true })
  const written = (content: Readonly<Record<string, FakeDnsZone>>) =>
    Object.fromEntries(
      Object.entries(content).map(([domain, { state, records }]) => [
        domain.slice(0, -APEX.length - 1),
        {
          state: SIGNED_AS[state],
          records: records.map(({ name, type, value }) => `${name} ${type} ${value}`).join('\n'),
        },
      ]),
    )
  const lab = await startDnssecLab(place, written(zones), APEX)
  return {
    resolver: lab.resolver,
    publish: (content) => lab.change(written(content)),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  }
}
