/**
 * A small signed Internet on two loopback addresses: Debian's Knot signs and serves `lab.test` (or another domain) and the zones below it,
 * Debian's Unbound validates from its key down. Every zone is in one of the states that a validator can find a zone in.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Daemon, freePort, ownLoopback, run, startDaemon } from './run.ts'

export type ZoneState =
  | 'secure'
  /** Not signed, and the zone above says so. */
  | 'insecure'
  /** Signatures that do not verify. */
  | 'bad-signature'
  /** Signatures of years ago. */
  | 'expired'
  /** Signed, but the zone above has no DS for it. */
  | 'missing-ds'
  /** The DS record is of an algorithm that nobody knows. */
  | 'unsupported-algorithm'

export interface LabZone {
  readonly state: ZoneState
  /** In master file syntax, without SOA and NS. */
  readonly records: string
}

export type LabZones = Readonly<Record<string, LabZone>>

export interface DnssecLab extends AsyncDisposable {
  /** Of the validating resolver, as `address:port`. */
  readonly resolver: string
  /** Of the authoritative server, which validates nothing and sets no AD. */
  readonly authority: string
  /** Other content for the same zones, signed with the same keys; all caches are empty afterwards. None may expire that had not. */
  change(zones: LabZones): Promise<void>
}

export const LAB = 'lab.test'

/** `zones` are named by their label below the apex. */
export async function startDnssecLab(directory: string, zones: LabZones, apex = LAB): Promise<DnssecLab> {
  const [host, resolverHost] = [ownLoopback(), ownLoopback()]
  const place = { host, port: await freePort(host) }
  const resolverPlace = { host: resolverHost, port: await freePort(resolverHost) }
  const names = [apex, ...Object.keys(zones).map((label) => `${label}.${apex}`)]
  const signing = await startSigning(directory, names)
  const run = async (content: LabZones) => {
    const anchor = await makeZones(content, { apex, host, signing })
    const authority = await serve(directory, place, names)
    const resolver = await startUnbound(directory, resolverPlace, { authority: place, names, anchor }).catch(
      async (error) => {
        await authority.stop()
        throw error
      },
    )
    return async () => {
      await resolver.stop()
      await authority.stop()
    }
  }
  let stop = await run(zones)
  return {
    resolver: `${resolverPlace.host}:${resolverPlace.port}`,
    authority: `${place.host}:${place.port}`,
    change: async (content) => {
      await stop()
      stop = async () => {}
      stop = await run(content)
    },
    [Symbol.asyncDispose]: () => stop(),
  }
}

interface Making {
  readonly apex: string
  readonly host: string
  readonly signing: Signing
}

/** Answers the trust anchor. */
async function makeZones(zones: LabZones, { apex, host, signing }: Making): Promise<string> {
  let delegations = ''
  for (const [label, zone] of Object.entries(zones)) {
    delegations += `${label} NS ns.${label}\nns.${label} A ${host}\n`
    delegations += await makeZone(`${label}.${apex}`, zone, host, signing)
  }
  await signing.write(apex, zoneText(apex, host, delegations))
  await signing.sign(apex)
  return await signing.ds(apex)
}

const zoneText = (zone: string, host: string, records: string) =>
  `$ORIGIN ${zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 900 86400 60\n@ NS ns\nns A ${host}\n${records}\n`

/** 2020-01-01, in seconds since the epoch. */
const LONG_AGO = '1577836800'

/** Makes one zone, and answers its DS for the zone above. */
async function makeZone(name: string, { state, records }: LabZone, host: string, signing: Signing): Promise<string> {
  await signing.write(name, zoneText(name, host, records))
  if (state === 'insecure') return ''
  await signing.sign(name, state === 'expired' ? LONG_AGO : undefined)
  if (state === 'bad-signature') {
    const lines = (await signing.read(name)).split('\n')
    await signing.write(name, lines.map(damaged).join('\n'))
  }
  if (state === 'missing-ds') return ''
  const ds = await signing.ds(name)
  // Tag, algorithm, digest type, digest: algorithm 200 is unassigned (RFC 9157).
  return `${state === 'unsupported-algorithm' ? ds.replace(/( DS [0-9]+) [0-9]+/, '$1 200') : ds}\n`
}

/** With another digit in the middle of the signature, which is the last word; the keys stay as they are. */
function damaged(line: string): string {
  const covered = /^\S+\s+[0-9]+\s+RRSIG\s+(\S+)/.exec(line)?.[1]
  if (covered === undefined || covered === 'DNSKEY') return line
  const at = line.lastIndexOf(' ') + 40
  return `${line.slice(0, at)}${line[at] === 'A' ? 'B' : 'A'}${line.slice(at + 1)}`
}

interface Signing {
  write(zone: string, text: string): Promise<void>
  read(zone: string): Promise<string>
  sign(zone: string, at?: string): Promise<void>
  /** The DS record in master file syntax. */
  ds(zone: string): Promise<string>
}

const fileOf = (directory: string, zone: string) => join(directory, `${zone}.zone`)

async function startSigning(directory: string, names: readonly string[]): Promise<Signing> {
  const keys = join(directory, 'keys')
  await mkdir(keys, { recursive: true })
  const config = join(directory, 'signing.conf')
  const lines = ['database:', `  storage: ${keys}`, 'policy:', '  - id: lab', '    algorithm: ecdsap256sha256']
  lines.push('    single-type-signing: on', 'zone:')
  for (const zone of names) {
    lines.push(`  - domain: ${zone}`, `    file: ${fileOf(directory, zone)}`, '    dnssec-policy: lab')
  }
  await writeFile(config, `${lines.join('\n')}\n`)
  return {
    write: (zone, text) => writeFile(fileOf(directory, zone), text),
    read: (zone) => readFile(fileOf(directory, zone), 'utf8'),
    async sign(zone, at) {
      await run('kzonesign', ['-c', config, ...(at === undefined ? [] : ['-t', at]), '-o', directory, zone])
    },
    async ds(zone) {
      const { stdout } = await run('keymgr', ['-c', config, zone, 'ds'])
      return stdout
        .toString()
        .split('\n')
        .find((line) => / DS [0-9]+ 13 2 /.test(line))!
    },
  }
}

interface Place {
  readonly host: string
  readonly port: number
}

async function serve(directory: string, { host, port }: Place, zones: readonly string[]): Promise<Daemon> {
  const rundir = join(directory, 'serving')
  // With its journal: what is in the files counts, whatever their serial numbers.
  await rm(rundir, { recursive: true, force: true })
  await mkdir(rundir)
  const config = join(directory, 'serving.conf')
  const lines = ['server:', `  listen: ${host}@${port}`, `  rundir: ${rundir}`, 'database:', `  storage: ${rundir}`]
  lines.push('zone:', ...zones.flatMap((zone) => [`  - domain: ${zone}`, `    file: ${fileOf(directory, zone)}`]))
  await writeFile(config, `${lines.join('\n')}\n`)
  return await startDaemon('knotd', ['-c', config], { ready: [{ host, port }] })
}

async function startUnbound(
  directory: string,
  { host, port }: Place,
  lab: { readonly authority: Place; readonly names: readonly string[]; readonly anchor: string },
): Promise<Daemon> {
  const { authority } = lab
  const lines = [
    'server:',
    `  interface: ${host}@${port}`,
    '  access-control: 127.0.0.0/8 allow',
    '  do-not-query-localhost: no',
    '  do-daemonize: no',
    '  use-syslog: no',
    '  username: ""',
    '  chroot: ""',
    '  pidfile: ""',
    `  directory: ${directory}`,
    '  num-threads: 1',
    '  module-config: "validator iterator"',
    '  local-zone: "test." nodefault',
    `  trust-anchor: "${lab.anchor}"`,
    'remote-control:',
    '  control-enable: no',
    ...lab.names.flatMap((zone) => [
      'stub-zone:',
      `  name: ${zone}`,
      `  stub-addr: ${authority.host}@${authority.port}`,
    ]),
  ]
  const config = join(directory, 'validating.conf')
  await writeFile(config, `${lines.join('\n')}\n`)
  return await startDaemon('unbound', ['-d', '-c', config], { ready: [{ host, port }] })
}
