/** An account's key files, as the keyring's door describes them. */
import { hash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileLock } from '#lib/file-lock.ts'
import type { AccountId } from '../accounts/directory.ts'
import { decodeTable, MalformedTable, type SlotTable } from '../vault/protocol/slot-table.ts'
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
  async lockedKeys(): Promise<readonly LockedKeyFile[]> {
    const keys: LockedKeyFile[] = []
    for (const path of await pathsIn(join(this.#folder, 'keys'), '.locked')) {
      const octets = await readIfThere(path)
      const key = octets && decodeLockedKey(octets)
      if (key && path === this.#keyPath(key.fingerprint)) keys.push(key)
      else throw new AccountKeysDamaged(`${path} is damaged. ${REMEDY}`)
    }
    return keys
  }

  async writeLockedKey(key: LockedKeyFile): Promise<void> {
    await replaceFile(this.#disk, this.#keyPath(key.fingerprint), encodeLockedKey(key))
  }

  /** Of the escrow master key that the account agreed to. */
  masterCertificate(fingerprint: string): Promise<Buffer | null> {
    return readIfThere(join(this.#mastersFolder, fingerprint))
  }

  async writeMasterCertificate(fingerprint: string, certificate: Uint8Array): Promise<void> {
    await makeFolder(this.#disk, this.#mastersFolder)
    await replaceFile(this.#disk, join(this.#mastersFolder, fingerprint), certificate)
  }

  revocation(fingerprint: string): Promise<Buffer | null> {
    return readIfThere(this.#revocationPath(fingerprint))
  }

  async writeRevocation(fingerprint: string, sealed: Uint8Array): Promise<void> {
    await replaceFile(this.#disk, this.#revocationPath(fingerprint), sealed)
  }
}

const sha256 = (octets: Uint8Array): Buffer => hash('sha256', octets, 'buffer')
