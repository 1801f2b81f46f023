/** What everything else stands on, open as long as the server runs. */
import type { LoadedConfig } from '#config/load.ts'
import type { Directory } from '#custody/accounts/directory.ts'
import type { AuditLog } from '#custody/audit/audit-log.ts'
import type { VaultKeyring } from '#custody/keyring/vault-keyring.ts'
import type { StorePool } from '#custody/store/store-pool.ts'
import type { Address } from '#formats/message/address.ts'
import type { CertificateFiles } from '#lib/certificate-files.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { Scanner } from '#privacy/scanning/scanning.ts'

export interface Foundation {
  readonly config: LoadedConfig
  readonly logger: Logger
  readonly metrics: Metrics
  readonly certificates: CertificateFiles
  readonly audit: AuditLog
  readonly directory: Directory
  readonly keyring: VaultKeyring
  readonly store: StorePool
  /** Whom a bare `<postmaster>` means: that of the domain which this host belongs to (RFC 5321 §4.1.1.3). */
  readonly postmaster: Address
  /** Loaded when it is asked; null: none is configured. */
  readonly scanner: (() => Promise<Scanner>) | null
}
