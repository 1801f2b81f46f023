/** The way in: from what the desk says to a session and its maildrop, the same for PASS and AUTH. */
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { PASSPHRASE_WANTED, WRONG } from '#servers/line/manners.ts'
import type { LoginResult, UserSession } from '#session/session.ts'
import type { Conversation, User } from './conversation.ts'
import { Maildrop } from './maildrop.ts'
import { no } from './refusal.ts'

/** RFC 2449 §4: a response has 512 octets at most. */
const NOTICE_LENGTH = 400

/** Logs in and answers what to say. The desk wipes the credential. Throws as `enterBy`. */
export async function enter(talk: Conversation, user: string, credential: Buffer): Promise<string> {
  return enterBy(talk, await talk.context.desk.login({ user, credential, protocol: 'pop3', ip: talk.ip }))
}

/** Throws the same words whatever was wrong with the credential, and IN-USE when another client has the maildrop. */
export async function enterBy(talk: Conversation, result: LoginResult, wrong = WRONG): Promise<string> {
  const { limits, metrics } = talk.context
  metrics.count('pop3_logins', { result: result.kind })
  if (result.kind !== 'welcome') {
    talk.failedLogins++
    if (talk.failedLogins >= limits.loginAttempts) talk.leaving = true
    // RFC 3206 §4: AUTH is for what other credentials would help against.
    if (result.kind === 'passphrase') throw no(PASSPHRASE_WANTED, 'AUTH')
    if (result.kind === 'unavailable') throw no('Login is not possible now, try again later', 'SYS/TEMP')
    throw no(wrong, 'AUTH')
  }
  const { session } = result
  try {
    talk.user = await openMaildrop(talk, session)
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
  talk.input.loggedIn()
  talk.logger = talk.logger.with({ account: session.account.id })
  talk.logger.info({ tls: talk.wire.tlsVersion }, 'pop3 login')
  // RFC 1939 has no word that tells a client that the session is over: the connection ends.
  const end = () => talk.wire.finish()
  if (session.ended.aborted) end()
  else session.ended.addEventListener('abort', end, { once: true })
  return session.notices[0]?.replace(/[^\x20-\x7e]/gu, '?').slice(0, NOTICE_LENGTH) ?? 'Welcome'
}

async function openMaildrop(talk: Conversation, session: UserSession): Promise<User> {
  const { id } = session.account
  // RFC 1939 §4, RFC 2449 §8.1.1
  const lock = await talk.context.locks.take(`maildrop ${id}`)
  if (!lock) throw no('Another client has this mailbox open', 'IN-USE')
  const unlock = () => lock[Symbol.dispose]()
  try {
    const maildrop = await Maildrop.open(await session.mail(), id, talk.context.sizes)
    if (talk.wire.over) throw new ConnectionOver()
    if (!talk.admission.login(id)) throw no('Too many connections of this account', 'SYS/TEMP')
    return { session, maildrop, unlock }
  } catch (error) {
    unlock()
    throw error
  }
}
