/** What the main process and its fronts say to each other, as JSON over the channel that Node gives to a child. No secret ever crosses it. */
import type { LoadedConfig } from '#config/load.ts'
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Change, MailboxId } from '#custody/store/mail-store.ts'
import type { FailedLogin } from '#session/login-brakes.ts'

/** Listeners whose clients fronts serve, by their name in the configuration. */
export const SERVICES = ['imaps', 'imap', 'pop3s', 'pop3'] as const
export type Service = (typeof SERVICES)[number]

/** Who changed what. */
export interface ChangeMade {
  readonly account: AccountId
  readonly mailbox: MailboxId
  readonly change: Change
}

export type Question =
  | { readonly ask: 'metrics' }
  /** Accounts that are unlocked. */
  | { readonly ask: 'unlocked' }
  | { readonly ask: 'end-sessions'; readonly account: AccountId; readonly slots: readonly string[] | null }

export type ToFront =
  | { readonly to: 'begin'; readonly config: LoadedConfig; readonly front: number }
  /** Its socket comes with it. */
  | { readonly to: 'client'; readonly client: number; readonly service: Service }
  | ({ readonly to: 'change' } & ChangeMade)
  | { readonly to: 'failed-login'; readonly failed: FailedLogin }
  | { readonly to: 'question'; readonly id: number; readonly question: Question }
  | { readonly to: 'claimed'; readonly id: number; readonly isYours: boolean }
  | { readonly to: 'reload' }
  | { readonly to: 'stop'; readonly graceMs: number }

export type FromFront =
  | { readonly from: 'ready' }
  /** Its socket has come. */
  | { readonly from: 'taken'; readonly client: number }
  | { readonly from: 'left'; readonly client: number }
  | ({ readonly from: 'change' } & ChangeMade)
  /** The front has listeners to this account, or no more. */
  | { readonly from: 'watch'; readonly account: AccountId; readonly watched: boolean }
  | { readonly from: 'failed-login'; readonly failed: FailedLogin }
  | { readonly from: 'claim'; readonly id: number; readonly name: string }
  | { readonly from: 'release'; readonly name: string }
  /** null: it went wrong, and the front's log says why. */
  | { readonly from: 'answer'; readonly id: number; readonly answer: string | number | null }
