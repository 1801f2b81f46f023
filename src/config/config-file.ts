/** Where the configuration file is. The only file that reads the environment. */
import { join, resolve } from 'node:path'

export const CONFIG_FILE = 'letterlock.toml'

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** `--data`, else LETTERLOCK_DATA, else `./data`. */
export function dataDirectory(option: string | undefined): string {
  return resolve(option ?? process.env['LETTERLOCK_DATA'] ?? 'data')
}

/** `--config`, else LETTERLOCK_CONFIG, else the file in the data directory. */
export function configFile(option: string | undefined, data: string | undefined): string {
  return resolve(option ?? process.env['LETTERLOCK_CONFIG'] ?? join(dataDirectory(data), CONFIG_FILE))
}
