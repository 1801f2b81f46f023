/**
 * The vault on a machine that has no accounts: it makes the escrow master key, tries it, and opens the escrow slot of one account
 * with it. Passphrases are Buffers that are wiped here.
 */
import { asBuffer, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { Secret } from '#lib/secret.ts'
import type { AnswerOf } from '../vault/protocol/protocol.ts'
import type { KeyAlgorithm } from './key-wishes.ts'
import type { VaultPlacement } from './launch.ts'
import { asked } from './refusals.ts'
import { VaultProcess, VaultRefusal } from './vault-process.ts'

export interface MasterVaultOptions {
  readonly placement: VaultPlacement
  readonly clock: Clock
}

/** The file is no OpenPGP secret key, or one that cannot be used. */
export class NotAMasterKey extends Error {
  override readonly name = 'NotAMasterKey'
}

export interface MasterLock {
  /** The transferable secret key as it stands in the file. */
  readonly secret: Buffer
  readonly passphrase: Buffer
}

export interface SlotToOpen {
  readonly account: string
  readonly table: Buffer
  readonly ticket: string
}

export type SlotOpened =
  | { readonly kind: 'none' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'opened'; readonly table: Buffer; readonly recoveryCode: Secret<string> }

/** No password is stretched here. */
const CONFIGURATION = { graceMs: 0, idleMs: 0, memory: 64, passes: 1, waiting: 1 }
const NO_ACCOUNT = 'of the request'

export class MasterVault implements AsyncDisposable {
  readonly #vault: VaultProcess
  readonly #clock: Clock

  constructor({ placement, clock }: MasterVaultOptions) {
    this.#clock = clock
    this.#vault = new VaultProcess({
      placement,
      configuration: CONFIGURATION,
      clock,
      logger: silentLogger,
      onGone: () => {},
    })
  }

  /** `lock`: its passphrase. Throws PasswordRefused, VaultGone. */
  make(wish: { userId: string; algorithm: KeyAlgorithm; lock: Buffer }): Promise<AnswerOf<'makeMaster'>> {
    return wiping(wish.lock, () =>
      asked(NO_ACCOUNT, this.#vault.call('makeMaster', { ...wish, created: this.#clock.now() })),
    )
  }

  /** The fingerprint; null for a wrong passphrase. Throws NotAMasterKey, VaultGone. */
  async check({ secret, passphrase }: MasterLock): Promise<string | null> {
    const request = { master: secret, masterPassphrase: passphrase, now: this.#clock.now() }
    const answer = await wiping(passphrase, () => readable(this.#vault.call('checkMaster', request)))
    return answer.kind === 'opens' ? answer.fingerprint : null
  }

  /** Throws NotAMasterKey, AccountKeysDamaged for a table that somebody changed, VaultGone. */
  async open({ account, table, ticket }: SlotToOpen, { secret, passphrase }: MasterLock): Promise<SlotOpened> {
    const master = { master: secret, masterPassphrase: passphrase }
    const request = { account, table, ticket, created: this.#clock.now(), ...master }
    const answer = await wiping(passphrase, () => asked(account, readable(this.#vault.call('openEscrow', request))))
    if (answer.kind !== 'opened') return answer
    const recoveryCode = new Secret(asBuffer(answer.recoveryCode).toString('latin1'))
    return { kind: 'opened', table: Buffer.from(answer.table), recoveryCode }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#vault[Symbol.asyncDispose]()
  }
}

async function wiping<T>(secret: Buffer, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    wipe(secret)
  }
}

/** What the vault calls a mismatch is here a file that is no usable master key. */
async function readable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof VaultRefusal) || error.why !== 'mismatch') throw error
    throw new NotAMasterKey(
      'this is no OpenPGP secret key that can be opened here: give the file escrow-secret.asc, as `escrow init` wrote it',
    )
  }
}
