/** Which command is whose, and in which state it may come (RFC 1939 §3). */
import type { Command } from '#formats/pop3/command.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../refusal.ts'
import { auth, pass, user } from './authorization.ts'
import { capa, noop, quit, stls, utf8 } from './connection.ts'
import { dele, rset } from './deletion.ts'
import { list, stat, uidl } from './listing.ts'
import { retr, top } from './retrieval.ts'

type Known = Exclude<Command, { kind: 'unintelligible' }>
/** Answers what follows `+OK `, or null when all has been said. */
type Handler<K extends Known['kind']> = (
  talk: Conversation,
  command: Extract<Known, { kind: K }>,
) => Promise<string | null>
type State = 'authorization' | 'transaction' | 'any'

const COMMANDS: { readonly [K in Known['kind']]: readonly [State, Handler<K>] } = {
  capa: ['any', capa],
  quit: ['any', quit],
  user: ['authorization', user],
  pass: ['authorization', pass],
  auth: ['authorization', auth],
  stls: ['authorization', stls],
  utf8: ['authorization', utf8],
  noop: ['transaction', noop],
  stat: ['transaction', stat],
  list: ['transaction', list],
  uidl: ['transaction', uidl],
  retr: ['transaction', retr],
  top: ['transaction', top],
  dele: ['transaction', dele],
  rset: ['transaction', rset],
}

/** Does it, or throws why not. */
export async function perform(talk: Conversation, command: Command): Promise<string | null> {
  if (command.kind === 'unintelligible') throw bad(command.text)
  const [state, handler] = COMMANDS[command.kind] as readonly [State, Handler<Known['kind']>]
  if (state !== 'any' && (state === 'transaction') !== (talk.user !== null)) {
    if (command.kind === 'pass') command.password.fill(0)
    if (command.kind === 'auth') command.initial?.fill(0)
    throw bad(talk.user ? 'You are logged in' : 'Log in first')
  }
  return await handler(talk, command as never)
}
