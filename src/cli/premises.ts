/**
 * One provider's data as a command sees it: the configuration, and the rooms of custody opened when they are asked for.
 * Commands work on the files themselves, beside the running server or without one; what the server must know it is told.
 */
import { join } from 'node:path'
import { configFile } from '#config/config-file.ts'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import { type Account, type Directory, UnknownAccount } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import type { AuditLog } from '#custody/audit/audit-log.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import type { Keyring } from '#custody/keyring/keyring.ts'
import type { Address } from '#formats/message/address.ts'
import { parseAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { acceptedSource } from '#privacy/discovery/sources.ts'
import { CliError } from './cli-error.ts'
import { tellServer } from './control.ts'
import { checkDataVersion } from './data-version.ts'
import { notice } from './output.ts'

export interface PlaceOptions {
  readonly config?: string
  readonly data?: string
}

export class Premises implements AsyncDisposable {
  readonly config: LoadedConfig
  #directory: Promise<Directory> | null = null
  #keyring: Promise<Keyring> | null = null
  #audit: AuditLog | null = null
  /** What accounts accepted of others, opened when it is asked for. */
  readonly accepted = acceptedSource(async () => (await import('./accepted.ts')).openAccepted(this.config))

  constructor(options: PlaceOptions) {
    this.config = loadConfig(configFile(options.config, options.data))
    checkDataVersion(this.config.data)
  }

  directory(): Promise<Directory> {
    this.#directory ??= openDirectory(join(this.config.data, 'directory.db'))
    return this.#directory
  }

  audit(): AuditLog {
    this.#audit ??= openAuditLog({ dataDir: this.config.data, clock: systemClock })
    return this.#audit
  }

  /** Starts a vault of this command's own; the server's is not concerned. */
  keyring(): Promise<Keyring> {
    this.#keyring ??= this.#openKeyring()
    return this.#keyring
  }

  async #openKeyring(): Promise<Keyring> {
    const { openKeyring } = await import('#custody/keyring/vault-keyring.ts')
    return openKeyring({
      dataDir: this.config.data,
      directory: await this.directory(),
      audit: this.audit(),
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
      graceMs: 0,
      vault: { uid: this.config.sessions.vaultUid },
    })
  }

  /** The account that has this address. Throws UnknownAccount with what to do. */
  async account(text: string): Promise<Account> {
    const found = await (await this.directory()).accountByLogin(text)
    if (!found) throw new UnknownAccount(`there is no account ${text}; letterlock account list shows all`)
    return found
  }

  /** Tells the running server, if there is one, to look again. What was done stands whether or not it could be told. */
  async tell(path: string): Promise<void> {
    try {
      await tellServer(this.config.data, path)
    } catch (error) {
      notice(
        `letterlock: it is done, but the running server could not be told (${(error as Error).message}); restart it`,
      )
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.accepted[Symbol.asyncDispose]()
    await (await this.#keyring?.catch(() => null))?.[Symbol.asyncDispose]()
    await (await this.#directory?.catch(() => null))?.[Symbol.asyncDispose]()
  }
}

/** An address typed at the command line. */
export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (!address) throw new CliError(`"${text}" is no mail address such as somebody@example.org`)
  return address
}
