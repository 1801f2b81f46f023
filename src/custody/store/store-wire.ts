/** What the store pool and its worker threads say to each other. */
import type { Bytes } from '#lib/bytes.ts'
import type { Fields } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import type { AccountId } from '../accounts/directory.ts'
import {
  AccountDamaged,
  type AccountMail,
  type Change,
  KeysNeeded,
  MailboxExists,
  type MailboxId,
  MailboxRefused,
  type MailStore,
  MessageUnreadable,
  NoCertificate,
  NoSuchAccount,
  NoSuchMailbox,
  OverQuota,
  type Sealing,
  TooManyAnnotations,
  TooManyFlags,
  TooManyMailboxes,
} from './mail-store.ts'

export type StoreMethod = 'create' | 'append' | 'quota' | 'setQuota' | 'remove'
export type MailMethod = Exclude<keyof AccountMail, typeof Symbol.asyncDispose>

export type StoreArguments<M extends StoreMethod> =
  Parameters<MailStore[M]> extends [AccountId, ...infer Rest] ? Rest : never

/** What to do; `sealing` comes with everything that seals. */
export type Call =
  | {
      readonly on: 'store'
      readonly method: StoreMethod
      readonly account: AccountId
      readonly args: readonly unknown[]
      readonly sealing: Sealing | null
    }
  | {
      readonly on: 'open'
      readonly account: AccountId
      readonly handle: number
      readonly locked: boolean
      /** null: the session has no UnsealingAid. */
      readonly aid: AidFacts | null
    }
  | {
      readonly on: 'mail'
      readonly method: MailMethod
      readonly handle: number
      readonly args: readonly unknown[]
      readonly sealing: Sealing | null
    }
  | { readonly on: 'close'; readonly handle: number }

export interface AidFacts {
  readonly authservId: string
  readonly scans: boolean
  /** What time it is for the session's aid. */
  readonly now: number
}

/** What a thread asks of a session's keys and its aid. */
export type KeysQuestion =
  | { readonly ask: 'sessionKeys'; readonly pkesks: readonly Bytes[] }
  | { readonly ask: 'indexKey' }
  | { readonly ask: 'olderIndexKeys' }
  | { readonly ask: 'own' }
  | { readonly ask: 'signers'; readonly author: string; readonly issuers: readonly string[] }
  /** The message is handed over, and wiped when it was scanned. */
  | { readonly ask: 'scan'; readonly message: Bytes }

export type Answer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: WireError }

export type ToWorker =
  | { readonly to: 'call'; readonly id: number; readonly call: Call }
  | { readonly to: 'keys'; readonly id: number; readonly answer: Answer }
  | { readonly to: 'watch'; readonly account: AccountId; readonly watched: boolean }
  /** Another process changed something in it. */
  | { readonly to: 'heard'; readonly account: AccountId }
  | { readonly to: 'end' }

export type FromWorker =
  | { readonly from: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly from: 'keys'; readonly id: number; readonly handle: number; readonly question: KeysQuestion }
  /** What the account's mail is sealed to, which did not come with a call. */
  | { readonly from: 'sealing'; readonly id: number; readonly account: AccountId }
  | { readonly from: 'change'; readonly account: AccountId; readonly mailbox: MailboxId; readonly change: Change }
  /** As 'change', of what was changed here, whether it is watched or not. */
  | { readonly from: 'made'; readonly account: AccountId; readonly mailbox: MailboxId; readonly change: Change }
  /** See Claims (lib/claims.ts); the answer says whether it is ours. */
  | { readonly from: 'claim'; readonly id: number; readonly name: string }
  | { readonly from: 'release'; readonly name: string }
  | {
      readonly from: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly fields: Fields
      readonly msg: string
    }

export interface WorkerSetting {
  readonly dataDir: string
  readonly openAccounts: number
  readonly indexesTexts: boolean
  /** Other processes serve the same data: they are told of changes, and share claims. */
  readonly isShared: boolean
}

/** The thread that does this account's work ended meanwhile. Whether the change was made is not known; try again later. */
export class StoreInterrupted extends Error {
  override readonly name = 'StoreInterrupted'
}

/** An error as it crosses: cloning would lose its class. */
export interface WireError {
  readonly name: string
  readonly message: string
  readonly diskFull: boolean
}

const CLASSES = new Map<string, new (message: string) => Error>(
  [
    StoreInterrupted,
    NoSuchMailbox,
    MailboxExists,
    MailboxRefused,
    OverQuota,
    TooManyAnnotations,
    TooManyFlags,
    TooManyMailboxes,
    KeysNeeded,
    MessageUnreadable,
    NoCertificate,
    NoSuchAccount,
    AccountDamaged,
  ].map((one) => [one.name, one]),
)

export function packError(error: unknown): WireError {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  return { name, message, diskFull: isDiskFull(error) }
}

/** Of the same class when the store's door names it; isDiskFull says of it what it said before. */
export function unpackError({ name, message, diskFull }: WireError): Error {
  const known = CLASSES.get(name)
  if (known) return new known(message)
  return Object.assign(new Error(message), { name }, diskFull ? { code: 'ENOSPC' } : {})
}

/** Hands the memory itself over where it holds nothing else, otherwise a copy; for octets that their owner needs no more. */
export function handedOver(octets: Bytes, transfer: ArrayBuffer[]): Bytes {
  const { buffer } = octets
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== octets.byteLength) return ownCopy(octets, transfer)
  transfer.push(buffer)
  return octets
}

/**
 * A copy of its own: a view would be cloned with all of the memory behind it, and its owner keeps what was handed in. The copy
 * itself is then handed over, not cloned again.
 */
export function ownCopy(octets: Bytes, transfer: ArrayBuffer[]): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(new ArrayBuffer(octets.byteLength))
  copy.set(octets)
  transfer.push(copy.buffer)
  return copy
}
