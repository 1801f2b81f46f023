/** From errors to the tagged answer: what the client may hear of them. The cause is for the log. */
import {
  AccountDamaged,
  KeysNeeded,
  MailboxExists,
  MailboxRefused,
  NoCertificate,
  NoSuchMailbox,
  OverQuota,
  TooManyFlags,
  TooManyMailboxes,
} from '#custody/store/mail-store.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { ImapError, no } from './imap-error.ts'

/** The answer, and whether the operator must hear of the error. Response codes of RFC 5530. */
export function refusalOf(error: unknown): { readonly answer: ImapError; readonly ours: boolean } {
  if (error instanceof ImapError) return { answer: error, ours: false }
  if (error instanceof NoSuchMailbox) return told(no('NONEXISTENT', 'There is no such mailbox'))
  if (error instanceof MailboxExists) return told(no('ALREADYEXISTS', 'There is such a mailbox already'))
  if (error instanceof MailboxRefused) return told(no('CANNOT', error.message))
  // RFC 5530 §3
  if (error instanceof TooManyFlags || error instanceof TooManyMailboxes)
    return told(no('LIMIT', `Not possible: ${error.message}`))
  if (error instanceof OverQuota) return told(no('OVERQUOTA', 'There is no room left in this account'))
  if (error instanceof NoCertificate)
    return told(no('UNAVAILABLE', 'Nothing can be kept here until you have set up your keys'))
  if (error instanceof KeysNeeded) return told(no('EXPIRED', 'The mail is locked, please log in again'))
  if (isDiskFull(error))
    return { answer: no('UNAVAILABLE', 'The server has no room left, try again later'), ours: true }
  if (error instanceof AccountDamaged)
    return { answer: no('CONTACTADMIN', 'The mail of this account is damaged'), ours: true }
  return { answer: no('SERVERBUG', 'Something went wrong here, it was logged'), ours: true }
}

const told = (answer: ImapError) => ({ answer, ours: false })
