/** From errors to `-ERR`: what the client may hear of them. The cause is for the log. */
import { AccountDamaged, KeysNeeded, MessageUnreadable, NoSuchMailbox } from '#custody/store/mail-store.ts'
import { isDiskFull } from '#lib/sqlite.ts'

/** RFC 2449 §8.1, RFC 3206 §4. */
export type ResponseCode = 'IN-USE' | 'AUTH' | 'SYS/TEMP' | 'SYS/PERM'

/** An answer of `-ERR` on its way to the one line that catches it. */
export class Pop3Error extends Error {
  override readonly name = 'Pop3Error'
  readonly code: ResponseCode | null
  /** The command is none, or not for this state. */
  readonly isBad: boolean

  constructor(code: ResponseCode | null, text: string, isBad = false) {
    super(text)
    this.code = code
    this.isBad = isBad
  }
}

export const no = (text: string, code: ResponseCode | null = null): Pop3Error => new Pop3Error(code, text)
export const bad = (text: string): Pop3Error => new Pop3Error(null, text, true)

/** The answer, and whether the operator must hear of the error. */
export function refusalOf(error: unknown): { readonly answer: Pop3Error; readonly ours: boolean } {
  if (error instanceof Pop3Error) return { answer: error, ours: false }
  if (error instanceof KeysNeeded)
    return { answer: no('The mail is locked, please log in again', 'SYS/TEMP'), ours: false }
  if (error instanceof MessageUnreadable) return { answer: no('The message cannot be opened', 'SYS/PERM'), ours: false }
  if (error instanceof NoSuchMailbox) return { answer: no('The mailbox is gone', 'SYS/PERM'), ours: false }
  if (isDiskFull(error)) return { answer: no('The server has no room left, try again later', 'SYS/TEMP'), ours: true }
  if (error instanceof AccountDamaged)
    return { answer: no('The mail of this account is damaged', 'SYS/PERM'), ours: true }
  return { answer: no('Something went wrong here, it was logged', 'SYS/TEMP'), ours: true }
}
