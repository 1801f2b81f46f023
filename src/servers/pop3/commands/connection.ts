import { capabilities } from '../capabilities.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no, refusalOf } from '../refusal.ts'

/** RFC 2449 §5. */
export async function capa(talk: Conversation): Promise<null> {
  talk.ok('What works here')
  const all = capabilities({ secure: talk.secure, loggedIn: talk.user !== null, mechanisms: talk.mechanisms })
  talk.wire.send(`${all.join('\r\n')}\r\n.\r\n`)
  return null
}

export async function noop(): Promise<string> {
  return 'Nothing was done'
}

/** RFC 2595 §4: the handshake begins right after the answer, with nothing kept of what the client sent before. */
export async function stls(talk: Conversation): Promise<string> {
  if (talk.secure) throw bad('TLS is on already')
  talk.upgrading = true
  talk.name = null
  return 'Begin TLS now'
}

/** RFC 6856 §2.1. Messages are the octets that they are with it and without it (§4 leaves that to the server). */
export async function utf8(): Promise<string> {
  return 'UTF-8 it is'
}

/** RFC 1939 §6: what is marked is removed now, and the maildrop is free before the client hears of it. */
export async function quit(talk: Conversation): Promise<string> {
  if (!talk.user) return 'Goodbye'
  try {
    talk.tally.removed = await talk.maildrop.removeDeleted()
  } catch (error) {
    const { answer, ours } = refusalOf(error)
    if (ours) talk.logger.error({ error: error as Error }, 'messages could not be removed')
    throw no(`${answer.message}; no message was removed`, answer.code)
  } finally {
    await talk.letGo()
  }
  return `Goodbye, ${talk.tally.removed} messages removed`
}
