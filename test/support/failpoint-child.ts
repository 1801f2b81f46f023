/** Runs one change of an account's keys and is killed, by itself, in the middle of the step that it was told. The order is JSON on standard input. */

import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { openKeyring } from '#custody/keyring/vault-keyring.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { Failpoints } from './failpoints.ts'
import { type Notes, scenarios } from './key-scenarios.ts'
import { CHEAP, VAULT_UID } from './vault-keyring.ts'

interface Order {
  readonly dataDir: string
  readonly scenario: string
  readonly notes: Notes
  readonly step: number
}

const { dataDir, scenario, notes, step }: Order = JSON.parse(await text(process.stdin))
const points = new Failpoints()
await using inner = await openDirectory(join(dataDir, 'directory.db'))
const directory = points.directory(inner)
await using keyring = await openKeyring({
  dataDir,
  directory,
  audit: openAuditLog({ dataDir, clock: systemClock, disk: points.auditDisk }),
  clock: systemClock,
  logger: silentLogger,
  metrics: noMetrics,
  graceMs: 0,
  vault: { uid: VAULT_UID },
  argon2: CHEAP,
  disk: points.disk,
})
points.arm(step, 'kill')
await scenarios[scenario]!.change({ keyring, directory }, notes)
