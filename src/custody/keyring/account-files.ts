/** An account's key files, as the keyring's door describes them. */
import { hash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileLock } from '#lib/file-lock.ts'
import type { AccountId } from '../accounts/directory.ts'
import { decodeTable, type SlotTable } from '../vault/protocol/slot-table.ts'
import { MalformedTable } from '../vault/protocol/table-fields.ts'
import { type Disk, makeFolder, pathsIn, readIfThere, removeUnfinished, replaceFile } from './durable-files.ts'
import { decodeIntent, encodeIntent, type Intent } from './intent.ts'
import { AccountKeysDamaged } from './keyring.ts'
import { decodeLockedKey, encodeLockedKey, type LockedKeyFile } from './locked-key-file.ts'

export interface StoredTable {
  readonly table: SlotTable
  readonly octets: Buffer
  /** The other copy is missing, damaged or older. */
  readonly needsRepair: boolean
}

type KeyFile = 'locked' | 'renewed'

const REMEDY = 'Restore them from a backup; other accounts are not concerned.'

export class AccountFiles {
  readonly #account: AccountId
  readonly #folder: string
  readonly #disk: Disk

  constructor(dataDir: string, account: AccountId, steps: Disk) {
    this.#account = account
    this.#folder = join(dataDir, 'accounts', account)
    this.#disk = steps
  }

  get #copies(): readonly string[] {
    return [join(this.#folder, 'keyslots.a'), join(this.#folder, 'keyslots.b')]
  }

  #keyPath(fingerprint: string, ending: KeyFile = 'locked'): string {
    return join(this.#folder, 'keys', `${fingerprint}.${ending}`)
  }

  get #intentPath(): string {
    return join(this.#folder, 'intent')
  }

  get #blockedPath(): string {
    return join(this.#folder, 'blocked')
  }

  get #mastersFolder(): string {
    return join(this.#folder, 'escrow')
  }

  get #folders(): readonly string[] {
    return [join(this.#folder, 'keys'), join(this.#folder, 'revocations')]
  }

  async makeFolders(): Promise<void> {
    for (const folder of this.#folders) await makeFolder(this.#disk, folder)
  }

  /** Whether the account has keyslots, whole or damaged. */
  async isThere(): Promise<boolean> {
    for (const path of this.#copies) if (await readIfThere(path)) return true
    return false
  }

  exclusively<T>(change: () => Promise<T>): Promise<T> {
    return withFileLock(join(this.#folder, 'keyslots.lock'), async () => {
      for (const folder of [this.#folder, ...this.#folders, this.#mastersFolder]) await removeUnfinished(folder)
      return change()
    })
  }

  /** The newest whole copy. Throws AccountKeysDamaged when there is none. */
  async table(): Promise<StoredTable> {
    const found: StoredTable[] = []
    for (const path of this.#copies) {
      const octets = await readIfThere(path)
      const table = octets && this.#decode(octets)
      if (table) found.push({ table, octets, needsRepair: false })
    }
    const [newest, other] = found.sort((a, b) => b.table.sequence - a.table.sequence)
    if (!newest) {
      throw new AccountKeysDamaged(
        `both keyslot files are missing or damaged: ${this.#copies.join(' and ')}. ${REMEDY}`,
      )
    }
    return { ...newest, needsRepair: !other?.octets.equals(newest.octets) }
  }

  #decode(octets: Buffer): SlotTable | null {
    try {
      const table = decodeTable(octets)
      return table.account === this.#account ? table : null
    } catch (error) {
      if (error instanceof MalformedTable) return null
      throw error
    }
  }

  /** One copy after the other: at every moment one of them is whole. Hold the lock. */
  async writeTable(octets: Uint8Array): Promise<void> {
    for (const path of this.#copies) await replaceFile(this.#disk, path, octets)
  }

  async repairTable(): Promise<void> {
    await this.exclusively(async () => {
      const { octets, needsRepair } = await this.table()
      if (needsRepair) await this.writeTable(octets)
    })
  }

  /** Those app passwords of the table that the operator has blocked; nothing else can be. */
  async blocked({ slots }: SlotTable): Promise<readonly string[]> {
    const lines = (await readIfThere(this.#blockedPath))?.toString('latin1').split('\n') ?? []
    return slots.filter(({ type, id }) => type === 'app' && lines.includes(id)).map(({ id }) => id)
  }

  /** Hold the lock. */
  async writeBlocked(slots: readonly string[]): Promise<void> {
    await replaceFile(this.#disk, this.#blockedPath, Buffer.from(slots.map((id) => `${id}\n`).join('')))
  }

  /** All generations, in no order. Throws AccountKeysDamaged. */
  lockedKeys(): Promise<readonly LockedKeyFile[]> {
    return this.#keysNamed('locked')
  }

  /** Those that wait beside the one that they renew, until the directory has their certificate. Throws AccountKeysDamaged. */
  renewedKeys(): Promise<readonly LockedKeyFile[]> {
    return this.#keysNamed('renewed')
  }

  async #keysNamed(ending: KeyFile): Promise<readonly LockedKeyFile[]> {
    const keys: LockedKeyFile[] = []
    for (const path of await pathsIn(join(this.#folder, 'keys'), `.${ending}`)) {
      const octets = await readIfThere(path)
      // one that was renewed has got its name since
      if (!octets && ending === 'renewed') continue
      const key = octets && decodeLockedKey(octets)
      if (key && path === this.#keyPath(key.fingerprint, ending)) keys.push(key)
      else throw new AccountKeysDamaged(`${path} is damaged. ${REMEDY}`)
    }
    return keys
  }

  async writeLockedKey(key: LockedKeyFile, ending: KeyFile = 'locked'): Promise<void> {
    await replaceFile(this.#disk, this.#keyPath(key.fingerprint, ending), encodeLockedKey(key))
  }

  /** The renewed key takes the place of the one before. Hold the lock. */
  async adoptRenewedKey(fingerprint: string): Promise<void> {
    await this.#disk.rename(this.#keyPath(fingerprint, 'renewed'), this.#keyPath(fingerprint))
    await this.#disk.syncFolder(join(this.#folder, 'keys'))
  }

  /** Of the escrow master key that the account agreed to. */
  masterCertificate(fingerprint: string): Promise<Buffer | null> {
    return readIfThere(join(this.#mastersFolder, fingerprint))
  }

  async writeMasterCertificate(fingerprint: string, certificate: Uint8Array): Promise<void> {
    await makeFolder(this.#disk, this.#mastersFolder)
    await replaceFile(this.#disk, join(this.#mastersFolder, fingerprint), certificate)
  }

  #revocationPath(fingerprint: string, ending: '' | '.fresh' = ''): string {
    return join(this.#folder, 'revocations', `${fingerprint}${ending}`)
  }

  /** Made for the occasion, where there is one, or else the generic one. */
  async revocation(fingerprint: string): Promise<Buffer | null> {
    const fresh = await readIfThere(this.#revocationPath(fingerprint, '.fresh'))
    return fresh ?? readIfThere(this.#revocationPath(fingerprint))
  }

  async writeRevocation(fingerprint: string, sealed: Uint8Array, ending: '' | '.fresh' = ''): Promise<void> {
    await replaceFile(this.#disk, this.#revocationPath(fingerprint, ending), sealed)
  }

  #certificatePath(hash: Uint8Array): string {
    return join(this.#folder, 'keys', `${Buffer.from(hash).toString('hex')}.certificate`)
  }

  /** A device's certificate by its SHA-256; null when it is not there, or is another one. */
  async deviceCertificate(hash: Uint8Array): Promise<Buffer | null> {
    const octets = await readIfThere(this.#certificatePath(hash))
    return octets && sha256(octets).equals(hash) ? octets : null
  }

  async writeDeviceCertificate(octets: Uint8Array): Promise<void> {
    await replaceFile(this.#disk, this.#certificatePath(sha256(octets)), octets)
  }

  /** What a change of keys is about to make of the account; null when none is under way. */
  async intent(): Promise<Intent | null> {
    const octets = await readIfThere(this.#intentPath)
    return octets && decodeIntent(octets)
  }

  async writeIntent(intent: Intent): Promise<void> {
    await replaceFile(this.#disk, this.#intentPath, encodeIntent(intent))
  }

  /** What it said is done, or never happened. */
  async dropIntent(): Promise<void> {
    await rm(this.#intentPath, { force: true })
  }
}

const sha256 = (octets: Uint8Array): Buffer => hash('sha256', octets, 'buffer')
