/** The data directory's own version: a program older than its data refuses it instead of damaging it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { disk } from '#custody/keyring/durable-files.ts'
import { CliError } from './cli-error.ts'

const DATA_VERSION = 1

export function writeDataVersion(data: string): Promise<void> {
  return disk.writeNew(join(data, 'version'), Buffer.from(`${DATA_VERSION}\n`))
}

/** Throws a CliError for a directory that is not ours or of a newer program. */
export function checkDataVersion(data: string): void {
  let text: string
  try {
    text = readFileSync(join(data, 'version'), 'utf8').trim()
  } catch {
    throw new CliError(
      `${data} is no data directory of Letterlock (its file "version" is missing). Run: letterlock init --domain DOMAIN --data DIR`,
    )
  }
  const version = Number(text)
  if (!Number.isInteger(version))
    throw new CliError(
      `${join(data, 'version')} is damaged: it says "${text.slice(0, 20)}", not a number. Restore it from a backup.`,
    )
  if (version > DATA_VERSION)
    throw new CliError(
      `${data} was written by a newer version of Letterlock (data version ${version}, this one knows ${DATA_VERSION}). Upgrade Letterlock, or restore a backup.`,
    )
}
