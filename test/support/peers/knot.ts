/** Debian's Knot as an authoritative DNS server on a loopback address of its own: real names for journeys. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, ownLoopback, startDaemon } from './run.ts'

export interface Knot extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

/** `zones` holds the records of each zone in master file syntax, without SOA and NS. */
export async function startKnot(directory: string, zones: Readonly<Record<string, string>>): Promise<Knot> {
  const host = ownLoopback()
  const port = await freePort(host)
  await mkdir(join(directory, 'run'), { recursive: true })
  for (const [zone, records] of Object.entries(zones)) {
    const authority = `$ORIGIN ${zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 900 86400 60\n@ NS ns\nns A ${host}\n`
    await writeFile(join(directory, `${zone}.zone`), `${authority}${records}\n`)
  }
  const config = join(directory, 'knot.conf')
  await writeFile(
    config,
    [
      'server:',
      `  listen: ${host}@${port}`,
      `  rundir: ${join(directory, 'run')}`,
      'database:',
      `  storage: ${join(directory, 'run')}`,
      'zone:',
      ...Object.keys(zones).flatMap((zone) => [`  - domain: ${zone}`, `    file: ${join(directory, `${zone}.zone`)}`]),
      '',
    ].join('\n'),
  )
  const daemon = await startDaemon('knotd', ['-c', config], { ready: [{ host, port }] })
  return { host, port, [Symbol.asyncDispose]: daemon.stop }
}
