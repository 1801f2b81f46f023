/** The keyring over the account's files and the vault process. */

import type { Address } from '#formats/message/address.ts'
import { formatAddress } from '#formats/message/address.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { Secret } from '#lib/secret.ts'
import type { AccountId, Directory } from '../accounts/directory.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AnswerOf, RequestOf } from '../vault/protocol/protocol.ts'
import type { ScramTerms } from '../vault/protocol/slot-table.ts'
import { AccountFiles } from './account-files.ts'
import { type ChangeDesk, NO_PASSPHRASE, ownerOf } from './change-desk.ts'
import { type Disk, disk } from './durable-files.ts'
import { HeldHandles } from './held-handles.ts'
import * as changes from './key-changes.ts'
import type {
  AppPasswordWish,
  CustodyFacts,
  EscrowApplied,
  EscrowFacts,
  EscrowLeft,
  ImportedKey,
  ImportWish,
  KeyAlgorithm,
  ManagedKey,
  NewKeyWish,
  RevocationWish,
  RotatedKey,
  RotationWish,
  UploadedRevocation,
} from './key-wishes.ts'
import type { Keyring, KeyslotFacts, NewKeys, OwnerSecrets, ProtocolUse, ScramProof, UnlockedKeys } from './keyring.ts'
import { VaultGone } from './keyring.ts'
import { LastUses } from './last-uses.ts'
import type { VaultPlacement } from './launch.ts'
import { RevocationDesk } from './revocations.ts'
import { ScramMark } from './scram-mark.ts'
import { ServiceKey } from './service-key.ts'
import { largeContentsGate } from './unlocked-handle.ts'
import { type UnlockingDuties, unlockByProof, unlockWith } from './unlocking.ts'
import { VaultProcess } from './vault-process.ts'

export interface KeyringOptions {
  readonly dataDir: string
  readonly directory: Directory
  readonly audit: Pick<AuditLog, 'record'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** How long keys stay unlocked after the last handle of an account is closed. */
  readonly graceMs: number
  /** How long a session may hold keys that it does not use; never ending when left out. */
  readonly idleMs?: number
  readonly vault: VaultPlacement
  /** Another cost than the standard one makes sense in tests only. */
  readonly argon2?: Omit<RequestOf<'configure'>, 'graceMs' | 'idleMs'>
  /** Set in tests to stop between two steps. */
  readonly disk?: Disk
}

/** A keyring that tests can look into. */
export interface VaultKeyring extends Keyring {
  /** Live handles, unlocked accounts (those in their grace period too), slow derivations since the vault started. */
  status(): Promise<AnswerOf<'status'>>
  /** Of the vault process, which is started when it does not run. */
  vaultPid(): Promise<number>
}

/** RFC 9106 §4, second recommended option, with one lane since many may log in at once. Some seconds' worth of logins may wait. */
const ARGON2 = { memory: 64 * 1024, passes: 3, waiting: 64 }

/** Starts the vault. Throws VaultGone, with what it said, when it does not run here. */
export async function openKeyring(options: KeyringOptions): Promise<VaultKeyring> {
  const keyring = new FileKeyring(options)
  await keyring.vaultPid()
  return keyring
}

type UnlockWish = NonNullable<Parameters<Keyring['unlock']>[2]>

/** Loaded when it is wanted: a running server seldom does. */
const wishes = () => import('./slot-wishes.ts')
const rotation = () => import('./rotation.ts')
const ownKeys = () => import('./own-keys.ts')
const modes = () => import('./custody-modes.ts')
const keyRevocation = () => import('./key-revocation.ts')
const escrow = () => import('./escrow.ts')
const salts = () => import('./scram-salts.ts')

const secretsOf = ({ password, passphrase }: OwnerSecrets) => (passphrase ? [password, passphrase] : [password])

class FileKeyring implements VaultKeyring {
  readonly #options: KeyringOptions
  readonly #vault: VaultProcess
  readonly #serviceKey: ServiceKey
  readonly #scramMark: ScramMark
  readonly #revocations: RevocationDesk
  readonly #lastUses: LastUses
  readonly #handles: HeldHandles
  readonly #unlocking: UnlockingDuties

  constructor(options: KeyringOptions) {
    this.#options = options
    this.#serviceKey = new ServiceKey(options.dataDir)
    this.#scramMark = new ScramMark(options.dataDir)
    this.#revocations = new RevocationDesk(this.#serviceKey)
    this.#lastUses = new LastUses(options.dataDir, options.logger)
    this.#vault = new VaultProcess({
      placement: options.vault,
      configuration: { graceMs: options.graceMs, idleMs: options.idleMs ?? 0, ...(options.argon2 ?? ARGON2) },
      clock: options.clock,
      logger: options.logger,
      onGone: () => this.#handles.endAll(),
    })
    const { clock, logger, metrics, idleMs = 0 } = options
    const largeContents = largeContentsGate()
    this.#handles = new HeldHandles({ vault: this.#vault, clock, logger, metrics, idleMs, largeContents })
    this.#unlocking = {
      vault: this.#vault,
      handles: this.#handles,
      lastUses: this.#lastUses,
      logger,
      deskOf: (account) => this.#desk(account),
    }
  }

  #desk(account: AccountId): ChangeDesk {
    const { dataDir, directory, clock } = this.#options
    const files = new AccountFiles(dataDir, account, this.#options.disk ?? disk)
    const record: ChangeDesk['record'] = async (event, detail = {}, actor = 'owner') => {
      const known = await directory.account(account)
      const address = known ? { address: formatAddress(known.address) } : {}
      await this.#options.audit.record({ event, account, ...address, actor, detail })
    }
    const [vault, revocations] = [this.#vault, this.#revocations]
    const [serviceKey, scramMark] = [this.#serviceKey, this.#scramMark]
    return { account, files, vault, directory, revocations, serviceKey, scramMark, clock, record }
  }

  create(account: AccountId, address: Address, password: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys> {
    return wiping([password], () => changes.create(this.#desk(account), address, password, algorithm))
  }

  createWithoutKey(account: AccountId, password: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
    return wiping([password], () => changes.createWithoutKey(this.#desk(account), password))
  }

  unlock(
    account: AccountId | null,
    credential: Buffer,
    { use = 'imap', passphrase = NO_PASSPHRASE }: UnlockWish = {},
  ): Promise<UnlockedKeys | null> {
    return wiping([credential, passphrase], async () => {
      const login = { use, now: this.#options.clock.now() }
      const handle = await unlockWith(this.#unlocking, account, { password: credential, passphrase }, login)
      this.#options.metrics.count('unlocks', { outcome: handle ? 'unlocked' : 'wrong' })
      return handle
    })
  }

  get scramIsUsed(): boolean {
    return this.#scramMark.isSet
  }

  async scramTerms(account: AccountId | null, name: string): Promise<ScramTerms> {
    return (await salts()).termsToldTo(name, account === null ? null : this.#desk(account), this.#serviceKey)
  }

  unlockByProof(account: AccountId | null, shown: ScramProof, use: ProtocolUse) {
    return wiping([shown.proof], async () => {
      const login = { use, now: this.#options.clock.now() }
      const unlocked = await unlockByProof(this.#unlocking, account, shown, login)
      this.#options.metrics.count('unlocks', { outcome: unlocked ? 'unlocked' : 'wrong' })
      return unlocked
    })
  }

  async endSessions(account: AccountId, slots?: readonly string[]): Promise<void> {
    if (slots) return this.#handles.endSlots(account, slots)
    this.#handles.end(account)
    try {
      await this.#vault.call('endAll', { account })
    } catch (error) {
      // its sessions went with it, and what was changed is changed
      if (!(error instanceof VaultGone)) throw error
    }
  }

  /** Whoever logged in with what no longer counts has to log in again. */
  async #ending<T>(account: AccountId, change: Promise<T>, slots?: readonly string[]): Promise<T> {
    const changed = await change
    if (changed) await this.endSessions(account, slots)
    return changed
  }

  changePassword(account: AccountId, old: Buffer, next: Buffer, passphrase?: Buffer): Promise<boolean> {
    const owner = passphrase ? { password: old, passphrase } : { password: old }
    const change = () => changes.changePassword(this.#desk(account), owner, next)
    return wiping([...secretsOf(owner), next], () => this.#ending(account, change()))
  }

  recover(account: AccountId, code: Buffer, next: Buffer): Promise<{ recoveryCode: Secret<string> } | null> {
    return wiping([code, next], () => this.#ending(account, changes.recover(this.#desk(account), code, next)))
  }

  resetWithoutKey(account: AccountId, next: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
    return wiping([next], () => this.#ending(account, changes.resetWithoutKey(this.#desk(account), next)))
  }

  reset(account: AccountId, address: Address, next: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys> {
    const change = () => changes.reset(this.#desk(account), address, next, algorithm)
    return wiping([next], () => this.#ending(account, change()))
  }

  relink(
    account: AccountId,
    owner: OwnerSecrets,
    password: Buffer,
    passphrase = Buffer.alloc(0),
  ): Promise<{ relinked: number } | null> {
    const old = { password, passphrase }
    const change = async () => changes.relink(this.#desk(account), owner, ownerOf(old))
    return wiping([...secretsOf(owner), ...secretsOf(old)], () => this.#ending(account, change()))
  }

  exportSecretKey(account: AccountId, owner: OwnerSecrets, lock: Buffer): Promise<string | null> {
    const change = () => changes.exportSecretKey(this.#desk(account), owner, lock)
    return wiping([...secretsOf(owner), lock], change)
  }

  addAppPassword(account: AccountId, owner: OwnerSecrets, wish: AppPasswordWish) {
    return wiping(secretsOf(owner), async () => (await wishes()).addAppPassword(this.#desk(account), owner, wish))
  }

  revokeAppPasswords(account: AccountId, owner: OwnerSecrets, ids: readonly string[]): Promise<boolean> {
    const change = async () => (await wishes()).revokeAppPasswords(this.#desk(account), owner, ids)
    return wiping(secretsOf(owner), () => this.#ending(account, change(), ids))
  }

  async blockSlots(account: AccountId, ids: readonly string[]): Promise<void> {
    await (await wishes()).blockSlots(this.#desk(account), ids)
    await this.endSessions(account, ids)
  }

  reissueRecoveryCode(account: AccountId, owner: OwnerSecrets): Promise<Secret<string> | null> {
    return wiping(secretsOf(owner), async () => (await wishes()).reissueRecoveryCode(this.#desk(account), owner))
  }

  setPassphrase(account: AccountId, owner: OwnerSecrets, next: Buffer | null): Promise<boolean> {
    const change = async () => (await wishes()).setPassphrase(this.#desk(account), owner, next)
    return wiping([...secretsOf(owner), ...(next ? [next] : [])], () => this.#ending(account, change()))
  }

  agreeToEscrow(account: AccountId, owner: OwnerSecrets, master: Bytes): Promise<boolean> {
    return wiping(secretsOf(owner), async () => (await escrow()).agreeToEscrow(this.#desk(account), owner, master))
  }

  leaveEscrow(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<EscrowLeft | null> {
    const change = async () => (await escrow()).leaveEscrow(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  async escrow(account: AccountId): Promise<EscrowFacts> {
    return (await escrow()).escrowFacts(this.#desk(account).files)
  }

  async requestEscrow(account: AccountId, ticket: string): Promise<Buffer> {
    return (await escrow()).requestEscrow(this.#desk(account), ticket)
  }

  async applyEscrow(account: AccountId, grant: { ticket: string; octets: Bytes }): Promise<EscrowApplied> {
    return (await escrow()).applyEscrow(this.#desk(account), grant)
  }

  rotateKey(account: AccountId, owner: OwnerSecrets, wish: RotationWish): Promise<RotatedKey | null> {
    const change = async () => (await rotation()).rotateKey(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  generateKey(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<RotatedKey | null> {
    const change = async () => (await rotation()).generateKey(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  importKey(account: AccountId, owner: OwnerSecrets, wish: ImportWish): Promise<ImportedKey | null> {
    const change = async () => (await ownKeys()).importKey(this.#desk(account), owner, wish)
    const secrets = [...secretsOf(owner), wish.tsk, ...(wish.keyPassphrase ? [wish.keyPassphrase] : [])]
    return wiping(secrets, () => this.#ending(account, change()))
  }

  useDeviceCertificate(account: AccountId, owner: OwnerSecrets, certificate: Bytes, addresses: readonly string[]) {
    const change = async () => (await modes()).useDeviceCertificate(this.#desk(account), owner, certificate, addresses)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  useManaged(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<ManagedKey | null> {
    const change = async () => (await modes()).useManaged(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  revokeKey(account: AccountId, owner: OwnerSecrets, wish: RevocationWish): Promise<{ wasInUse: boolean } | null> {
    return wiping(secretsOf(owner), async () => (await keyRevocation()).revokeKey(this.#desk(account), owner, wish))
  }

  async uploadRevocation(account: AccountId, octets: Bytes): Promise<UploadedRevocation | null> {
    return (await keyRevocation()).uploadRevocation(this.#desk(account), octets)
  }

  async custody(account: AccountId): Promise<CustodyFacts> {
    return (await modes()).custodyFacts(this.#desk(account))
  }

  async keyslots(account: AccountId): Promise<readonly KeyslotFacts[]> {
    return (await wishes()).keyslotFacts(this.#desk(account), await this.#lastUses.of(account))
  }

  status(): Promise<AnswerOf<'status'>> {
    return this.#vault.call('status', {})
  }

  async vaultPid(): Promise<number> {
    return (await this.#vault.start()).child.pid!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#handles.endAll()
    await this.#vault[Symbol.asyncDispose]()
    await this.#lastUses[Symbol.asyncDispose]()
  }
}

async function wiping<T>(secrets: readonly Buffer[], use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    for (const secret of secrets) wipe(secret)
  }
}
