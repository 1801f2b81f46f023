/** The way in: from what the desk says to a session, the same for LOGIN and AUTHENTICATE. */

import { ConnectionOver } from '#servers/line/connection-over.ts'
import { PASSPHRASE_WANTED, WRONG } from '#servers/line/manners.ts'
import type { LoginResult } from '#session/session.ts'
import type { Conversation } from './conversation.ts'
import { no } from './imap-error.ts'

/** Logs in and answers the response code with what works now. The desk wipes the credential. Throws as `enterBy`. */
export async function enter(talk: Conversation, user: string, credential: Buffer): Promise<string> {
  return enterBy(talk, await talk.context.desk.login({ user, credential, protocol: 'imap', ip: talk.ip }))
}

/** Throws NO with the same words whatever was wrong (RFC 5530 §3), and tells what its owner must be told. */
export async function enterBy(talk: Conversation, result: LoginResult, wrong = WRONG): Promise<string> {
  const { limits, metrics } = talk.context
  metrics.count('imap_logins', { result: result.kind })
  if (result.kind !== 'welcome') {
    talk.failedLogins++
    if (talk.failedLogins >= limits.loginAttempts) talk.leaveAfter('Too many failed logins')
    // RFC 5530 §3: who it is was believed, and this is not enough here.
    if (result.kind === 'passphrase') throw no('AUTHORIZATIONFAILED', PASSPHRASE_WANTED)
    if (result.kind === 'unavailable') throw no('UNAVAILABLE', 'Login is not possible now, try again later')
    throw no('AUTHENTICATIONFAILED', wrong)
  }
  const { session } = result
  try {
    const mail = await session.mail()
    if (talk.wire.over) throw new ConnectionOver()
    if (!talk.admission.login(session.account.id)) throw no('LIMIT', 'Too many connections of this account')
    talk.user = { session, mail }
    talk.input.loggedIn(session.account.id)
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
  talk.logger = talk.logger.with({ account: session.account.id })
  talk.logger.info({ tls: talk.wire.tlsVersion, client: talk.client }, 'imap login')
  // RFC 3501 §7.1: clients show an alert to the person. Its text is ASCII.
  for (const notice of session.notices) talk.untagged(`OK [ALERT] ${notice.replace(/[^\x20-\x7e]/gu, '?')}`)
  const end = () => talk.leave('The session has ended, please log in again')
  if (session.ended.aborted) end()
  else session.ended.addEventListener('abort', end, { once: true })
  return `CAPABILITY ${talk.capabilities}`
}
