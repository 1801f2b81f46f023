/** One connection from its greeting to its end: reads commands, asks the one that is meant, says what it answered. */
import { type Command, LostChunk, parseCommand } from '#formats/smtp/command.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { auth } from './commands/auth.ts'
import { bdat } from './commands/bdat.ts'
import { data } from './commands/data.ts'
import { hello } from './commands/hello.ts'
import { mail } from './commands/mail.ts'
import { rcpt } from './commands/rcpt.ts'
import { starttls } from './commands/starttls.ts'
import type { Conversation } from './conversation.ts'
import { ourFault } from './hand-over.ts'
import { Hangup } from './wire.ts'

type Answer = Reply | readonly Reply[] | null

/** Never rejects; when it resolves the connection has been ended. */
export async function converse(talk: Conversation, implicitTls: boolean): Promise<void> {
  const { service, wire } = talk
  try {
    if (implicitTls) await secure(talk)
    await greet(talk)
    while (!talk.over) await step(talk)
  } catch (error) {
    if (!(error instanceof Hangup)) service.log.error({ role: talk.role, error: error as Error }, 'connection failed')
    const last = error instanceof Hangup ? (error.reply ?? lastWords(talk, error)) : ourFault421()
    if (last) wire.say(last)
  } finally {
    talk.reset()
    wire.end()
    await endSession(talk)
  }
}

async function secure(talk: Conversation): Promise<void> {
  const { service, wire } = talk
  const context = service.tls()
  if (!context) throw new Error('no certificate for implicit TLS')
  await wire.startTls(context, service.clock.now() + service.limits.handshakeMs)
}

async function endSession(talk: Conversation): Promise<void> {
  try {
    await talk.session?.[Symbol.asyncDispose]()
  } catch (error) {
    talk.service.log.error({ role: talk.role, error: error as Error }, 'session could not be ended')
  }
}

const ourFault421 = () => reply(421, '4.3.0', 'Local trouble, try later')

function lastWords(talk: Conversation, { message: why }: Hangup): Reply | null {
  const { hostname } = talk.service
  if (why === 'timeout') return reply(421, '4.4.2', `${hostname} Timeout, closing`)
  if (why !== 'stopping') return null
  if (talk.session?.ended.aborted) return reply(421, '4.7.0', `${hostname} Login has ended`)
  return reply(421, '4.3.2', `${hostname} Shutting down`) // RFC 5321 §3.8
}

async function greet(talk: Conversation): Promise<void> {
  const { hostname, limits, clock } = talk.service
  // RFC 5321 §3.1: the server speaks first; who does not wait for it is no mail server.
  if (talk.role === 'mx' && limits.greetingDelayMs > 0) {
    const early = await talk.wire.speaksBefore(clock.now() + limits.greetingDelayMs)
    if (early) throw new Hangup('refused', reply(554, '5.5.1', 'You talk before the greeting'))
  }
  talk.wire.say(reply(220, null, `${hostname} ${talk.role === 'lmtp' ? 'LMTP' : 'ESMTP'}`))
}

async function step(talk: Conversation): Promise<void> {
  const line = await talk.wire.line({ deadline: deadline(talk), idle: !talk.transaction?.chunks })
  let answer: Answer
  try {
    answer = await obey(talk, line)
  } catch (error) {
    if (error instanceof SmtpError) answer = error.reply
    else if (error instanceof Hangup) throw error
    else {
      talk.service.log.error({ role: talk.role, error: error as Error }, 'command failed')
      answer = ourFault()
    }
    complain(talk, error, line)
  }
  if (answer === null) return
  for (const one of 'code' in answer ? [answer] : answer) talk.wire.say(one)
}

function deadline({ role, session, connected, service }: Conversation): number {
  const { limits, clock } = service
  const whole = clock.now() + limits.commandMs
  return role === 'submission' && !session ? Math.min(whole, connected + limits.loginMs) : whole
}

const HTTP = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) /

/** What was wrong counts; enough of it, or the wrong protocol, ends the connection. */
function complain(talk: Conversation, error: unknown, line: Buffer | string): void {
  if (!(error instanceof SmtpError)) return
  const refusal = error.reply
  talk.refused(refusal)
  const start = typeof line === 'string' ? '' : line.toString('latin1', 0, 8)
  // A browser that was tricked into posting commands here goes on whatever we answer.
  if (HTTP.test(start)) throw new Hangup('refused', reply(554, '5.5.1', 'This is not a web server'))
  if (error instanceof LostChunk) throw new Hangup('refused', refusal)
  if (++talk.errors < talk.service.limits.errors) return
  talk.wire.say(refusal)
  throw new Hangup('refused', reply(421, '4.7.0', 'Too many errors'))
}

async function obey(talk: Conversation, line: Buffer | 'too-long' | 'lone-lf'): Promise<Answer> {
  if (line === 'too-long') throw new SmtpError(reply(500, '5.5.2', 'Line is too long')) // RFC 5321 §4.5.3.1.9
  if (line === 'lone-lf') throw new SmtpError(reply(500, '5.5.2', 'Lines end with CRLF'))
  if (talk.session?.ended.aborted) throw new Hangup('stopping')
  const command = parseCommand(line)
  switch (command.verb) {
    case 'MAIL':
      return await mail(talk, command)
    case 'RCPT':
      return count(talk, await rcpt(talk, command))
    case 'DATA':
      return await data(talk)
    case 'BDAT':
      return await bdat(talk, command)
    case 'AUTH':
      return await auth(talk, command)
    case 'STARTTLS':
      return await starttls(talk)
    case 'QUIT':
      talk.over = true
      return reply(221, '2.0.0', `${talk.service.hostname} Goodbye`)
    default:
      return idle(talk, command)
  }
}

/** A refusal of the agent is counted, but is no error of the client. */
function count(talk: Conversation, answer: Reply): Reply {
  if (answer.code >= 400) talk.refused(answer)
  return answer
}

type IdleCommand = Exclude<
  Command,
  | { verb: 'MAIL' }
  | { verb: 'RCPT' }
  | { verb: 'DATA' }
  | { verb: 'BDAT' }
  | { verb: 'AUTH' }
  | { verb: 'STARTTLS' }
  | { verb: 'QUIT' }
>

/** Commands that move no mail: free, but not for ever. */
function idle(talk: Conversation, command: IdleCommand): Reply {
  if (++talk.idleCommands > talk.service.limits.idleCommands) {
    throw new Hangup('refused', reply(421, '4.7.0', 'Too many commands without mail'))
  }
  switch (command.verb) {
    case 'RSET':
      talk.reset()
      return reply(250, '2.0.0', 'OK')
    case 'NOOP':
      return reply(250, '2.0.0', 'OK')
    case 'HELP':
      return reply(214, '2.0.0', 'See RFC 5321')
    case 'VRFY':
      if (command.argument === '') throw new SmtpError(reply(501, '5.5.4', 'VRFY needs a name')) // RFC 5321 §4.1.1.6
      // RFC 5321 §3.5.3 and §7.3: says nothing about who exists.
      return reply(252, '2.5.0', 'Cannot say, but will take messages and try')
    case 'EXPN':
      throw new SmtpError(reply(502, '5.5.1', 'EXPN is not offered'))
    default:
      return hello(talk, command)
  }
}
