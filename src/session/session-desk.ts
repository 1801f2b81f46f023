/** Logs people in: directory, brake on guessing, keyring, and then the session that holds what they may do. */
import type { SubmissionAgent } from '#agents/submission/submission.ts'
import { addressKey } from '#custody/accounts/address-key.ts'
import type { Account, AccountId, Directory } from '#custody/accounts/directory.ts'
import {
  type Keyring,
  NotWithThisCredential,
  PassphraseNeeded,
  type ProtocolUse,
  type UnlockedKeys,
} from '#custody/keyring/keyring.ts'
import type { AccountMail, MailStore } from '#custody/store/mail-store.ts'
import type { UnsealingAid } from '#custody/store/unsealing-aid.ts'
import { parseAddress } from '#formats/message/address.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import type { Salting } from '#formats/smtp/scram.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { overwriteStackSoon } from '#lib/stack.ts'
import { withAid } from '#privacy/e2e/unsealing-aid.ts'
import { LoginBrakes } from './login-brakes.ts'
import { openingNotices } from './openings.ts'
import type { Resealing } from './resealing.ts'
import type { ShownProof } from './scram-exchange.ts'
import { mergeSentCopies } from './sent-copies.ts'
import type {
  LoginAttempt,
  LoginResult,
  Protocol,
  ScramAttempt,
  ScramBegun,
  SessionDesk,
  UserSession,
} from './session.ts'

export interface SessionDeskOptions {
  readonly directory: Directory
  readonly keyring: Keyring
  readonly store: MailStore
  readonly submission: SubmissionAgent
  /** For mail that its sender sealed; without it, its signatures stay unchecked. */
  readonly aid?: (account: AccountId) => UnsealingAid
  readonly logger: Logger
  readonly metrics: Metrics
  /** See LoginBrakes; ready ones where several processes share them. */
  readonly failedLogins: number | LoginBrakes
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly clock: Clock
}

/** What the credential of an app password must be for. */
const USES: Readonly<Record<Protocol, ProtocolUse>> = { imap: 'imap', pop3: 'pop3', submission: 'smtp', jmap: 'jmap' }

interface Opened {
  readonly account: Account
  readonly keys: UnlockedKeys
}

export function createSessionDesk(options: SessionDeskOptions): SessionDesk {
  const { failedLogins } = options
  const brakes = typeof failedLogins === 'number' ? new LoginBrakes(failedLogins) : failedLogins
  const now = () => options.clock.now()
  let resealing: Promise<Resealing> | null = null

  /** null when there is nothing to re-seal: then its code is not even loaded. */
  async function joinResealing(account: AccountId, mail: AccountMail): Promise<AsyncDisposable | null> {
    if ((await mail.resealing()) === 'off') return null
    resealing ??= import('./resealing.ts').then((room) => room.createResealing(options.clock, options.logger))
    return (await resealing).join(account, mail)
  }

  async function unlock(user: string, way: Way): Promise<Opened | 'passphrase' | null> {
    const account = await options.directory.accountByLogin(user)
    const keys = await way(account?.id ?? null).catch((error: unknown) => {
      if (error instanceof PassphraseNeeded) return 'passphrase' as const
      throw error
    })
    if (!keys) return null
    if (keys === 'passphrase') return account?.state === 'active' ? keys : null
    // Told apart only after the same work as for a wrong password, and looked up again: who is suspended while the credential is
    // tried has no session yet that could be ended for it.
    const present = await options.directory.accountByLogin(user).catch(async (error: unknown) => {
      await keys[Symbol.asyncDispose]()
      throw error
    })
    if (present?.state !== 'active' || present.id !== keys.account) {
      await keys[Symbol.asyncDispose]()
      return null
    }
    return { account: present, keys }
  }

  /** The same words and counts, whatever the way in. */
  async function admit({ user, protocol, ip, byScram }: Comer, way: Way): Promise<LoginResult> {
    const name = nameOf(user)
    const refused = (outcome: string, why: string): void => {
      options.metrics.count('logins', { protocol, outcome })
      options.logger.warn({ protocol, ip, why }, 'login refused')
    }
    try {
      using turn = await brakes.turn(ip, name)
      if (!turn) {
        refused('braked', 'too many failures from this address or for this name')
        return { kind: 'unavailable' }
      }
      const opened = await unlock(user, way)
      if (!opened) {
        await brakes.count({ kind: 'wrong', ip, name, ...(byScram ? { byScram: now() } : {}) })
        refused('refused', 'wrong credential, unknown or suspended account')
        return { kind: 'refused' }
      }
      if (opened === 'passphrase') {
        await brakes.count({ kind: 'passphrase', ip, name })
        refused('passphrase', 'the account wants its passphrase too: an app password is needed')
        return { kind: 'passphrase' }
      }
      options.metrics.count('logins', { protocol, outcome: 'welcome' })
      return { kind: 'welcome', session: new Session({ ...options, joinResealing }, opened.account, opened.keys) }
    } catch (error) {
      options.metrics.count('logins', { protocol, outcome: 'unavailable' })
      options.logger.error({ protocol, ip, error: error as Error }, 'login not possible')
      return { kind: 'unavailable' }
    }
  }

  async function login(attempt: LoginAttempt): Promise<LoginResult> {
    const { credential, protocol } = attempt
    try {
      return await admit(attempt, (account) => options.keyring.unlock(account, credential, { use: USES[protocol] }))
    } finally {
      credential.fill(0)
      overwriteStackSoon()
    }
  }

  function beginScram({ clientFirst, protocol, ip }: ScramAttempt): Promise<ScramBegun> {
    return import('./scram-exchange.ts').then(({ beginExchange }) =>
      beginExchange(clientFirst, {
        termsOf: (user) => evenly(options.clock, TERMS_MS, () => scramTerms({ user, protocol, ip })),
        enter: (user, shown, signed) => enterByProof({ user, protocol, ip, byScram: true }, shown, signed),
      }),
    )
  }

  async function scramTerms({ user, protocol, ip }: Comer): Promise<Salting | null> {
    try {
      const account = await options.directory.accountByLogin(user)
      return await options.keyring.scramTerms(account?.id ?? null, user)
    } catch (error) {
      options.logger.error({ protocol, ip, error: error as Error }, 'login not possible')
      return null
    }
  }

  async function enterByProof(comer: Comer, shown: ShownProof, signed: (signature: Bytes) => void) {
    const refusal = pause(options.clock, REFUSAL_MS)
    const result = await admit(comer, async (account) => {
      const unlocked = await options.keyring.unlockByProof(account, shown, USES[comer.protocol])
      if (unlocked) signed(unlocked.signature)
      return unlocked?.keys ?? null
    })
    if (result.kind === 'welcome') brakes.scramOffers.worked(comer.ip)
    else await refusal
    overwriteStackSoon()
    return result
  }

  const offersScram = (ip: string) => options.keyring.scramIsUsed && brakes.scramOffers.suits(ip, now())

  return { login, offersScram, beginScram }
}

/**
 * No slow step hides whether there is such an account, as it does for passwords: whoever waits for an answer waits as long for
 * everybody. Reading an account's files takes a millisecond or two.
 */
const TERMS_MS = 10
const REFUSAL_MS = 100

async function evenly<T>(clock: Clock, ms: number, work: () => Promise<T>): Promise<T> {
  const time = pause(clock, ms)
  const done = await work()
  await time
  return done
}

/** The same for every way to spell an address: guesses at it are counted together. */
function nameOf(user: string): string {
  const address = parseAddress(user)
  return address ? addressKey(address) : user.toLowerCase()
}

type Comer = Omit<LoginAttempt, 'credential'> & { readonly byScram?: boolean }
/** null: wrong. */
type Way = (account: AccountId | null) => Promise<UnlockedKeys | null>

interface Desk extends SessionDeskOptions {
  readonly joinResealing: (account: AccountId, mail: AccountMail) => Promise<AsyncDisposable | null>
}

class Session implements UserSession {
  readonly account: Account
  readonly ended: AbortSignal
  readonly notices: readonly string[]
  readonly #desk: Desk
  readonly #keys: UnlockedKeys
  #mail: Promise<AccountMail> | null = null
  #resealing: Promise<AsyncDisposable | null> = Promise.resolve(null)

  constructor(desk: Desk, account: Account, keys: UnlockedKeys) {
    this.account = account
    this.ended = keys.ended
    this.notices = openingNotices(keys, desk.now())
    this.#desk = desk
    this.#keys = keys
  }

  get changes() {
    return this.#desk.store.changes
  }

  mail(): Promise<AccountMail> {
    this.#mail ??= this.#openMail()
    return this.#mail
  }

  async #openMail(): Promise<AccountMail> {
    if (!this.#keys.reads) throw new NotWithThisCredential()
    const { store, logger, now, joinResealing, aid } = this.#desk
    const { id } = this.account
    const mail = await store.open(id, aid ? withAid(this.#keys, aid(id)) : this.#keys)
    if (this.#keys.reads)
      this.#resealing = joinResealing(id, mail).catch((error) => {
        logger.warn({ account: id, error }, 're-sealing: cannot say whether it goes on')
        return null
      })
    return mergeSentCopies(mail, now)
  }

  summarize(message: Uint8Array): Uint8Array {
    return encodeSummary(summarize(message))
  }

  checkSender(reversePath: Parameters<UserSession['checkSender']>[0]) {
    return this.#desk.submission.checkSender(this.account, reversePath)
  }

  checkRecipient(recipient: Parameters<UserSession['checkRecipient']>[0]) {
    return this.#desk.submission.checkRecipient(this.account, recipient)
  }

  submit(mail: Parameters<UserSession['submit']>[0]) {
    const signer = this.#keys.signs ? this.#keys : null
    const isReplyToSealed = this.#keys.reads ? (ids: readonly string[]) => this.#isReplyToSealed(ids) : null
    return this.#desk.submission.submit({ ...mail, author: this.account, signer, isReplyToSealed })
  }

  async #isReplyToSealed(messageIds: readonly string[]): Promise<boolean> {
    const mail = await this.mail()
    return (await mail.sealedAmong(messageIds)).length > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const mail = await this.#mail?.catch(() => null)
    await (await this.#resealing)?.[Symbol.asyncDispose]()
    await mail?.[Symbol.asyncDispose]()
    await this.#keys[Symbol.asyncDispose]()
  }
}
