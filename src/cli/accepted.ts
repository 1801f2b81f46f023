import { join } from 'node:path'
import type { LoadedConfig } from '#config/load.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { type Correspondents, openCorrespondents } from '#privacy/correspondents/correspondents.ts'

/** Certificates that accounts accepted of others. */
export async function openAccepted(config: LoadedConfig): Promise<Correspondents> {
  const key = await loadKeyFile(config.store.queueKey)
  try {
    return await openCorrespondents({ path: join(config.data, 'correspondents.db'), key, clock: systemClock })
  } finally {
    wipe(key)
  }
}
