import type { Command } from '#formats/smtp/command.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import { decodeBase64, parsePlain } from '#formats/smtp/sasl.ts'
import { wipe } from '#lib/bytes.ts'
import { pause } from '#lib/clock.ts'
import { PASSPHRASE_WANTED, WRONG_BY_SCRAM } from '#servers/line/manners.ts'
import type { LoginResult, SessionDesk } from '#session/session.ts'
import { type Conversation, outOfOrder } from '../conversation.ts'
import { Hangup } from '../wire.ts'

const MECHANISMS = { PLAIN: plain, LOGIN: login, 'SCRAM-SHA-256': scram } as const
type Mechanism = keyof typeof MECHANISMS
const isKnown = (mechanism: string): mechanism is Mechanism => Object.hasOwn(MECHANISMS, mechanism)

/**
 * AUTH PLAIN, LOGIN and SCRAM-SHA-256 (RFC 4954, RFC 4616, RFC 7677), only within TLS. Credentials are octets from the wire to the
 * desk, and every buffer that held one is wiped.
 */
export async function auth(talk: Conversation, command: Extract<Command, { verb: 'AUTH' }>): Promise<Reply> {
  const { mechanism, initialResponse } = command
  try {
    const desk = deskFor(talk)
    if (!isKnown(mechanism)) throw new SmtpError(reply(504, '5.5.4', 'Unknown mechanism'))
    return await MECHANISMS[mechanism](talk, desk, initialResponse)
  } finally {
    if (initialResponse) wipe(initialResponse)
  }
}

function deskFor(talk: Conversation): SessionDesk {
  const { backend } = talk.service
  if (backend.role !== 'submission') throw new SmtpError(reply(502, '5.5.1', 'Logging in is not offered here'))
  // RFC 4954 §6; RFC 8314 §3.3
  if (!talk.wire.tls) throw new SmtpError(reply(538, '5.7.11', 'Encryption required: say STARTTLS first'))
  if (!talk.helo) throw outOfOrder('Say EHLO first')
  if (talk.session) throw outOfOrder('Logged in already') // RFC 4954 §4
  if (talk.transaction) throw outOfOrder('A message is under way') // RFC 4954 §4
  return backend.desk
}

/** A response of the client, decoded into memory of its own; the line is wiped. Throws SmtpError for `*` and for what is not base64. */
async function responseTo(talk: Conversation, challenge: string): Promise<Buffer> {
  talk.wire.say(reply(334, null, challenge))
  const line = await talk.wire.line({ deadline: talk.connected + talk.service.limits.loginMs })
  if (line === 'too-long') throw new SmtpError(reply(500, '5.5.6', 'Response is too long')) // RFC 4954 §4
  if (line === 'lone-lf') throw new SmtpError(reply(500, '5.5.2', 'Lines end with CRLF'))
  if (line.length === 1 && line[0] === 42) throw new SmtpError(reply(501, '5.7.0', 'Authentication cancelled'))
  return decoded(line)
}

function decoded(base64: Buffer): Buffer {
  const octets = decodeBase64(base64)
  wipe(base64)
  if (!octets) throw new SmtpError(reply(501, '5.5.2', 'Not base64')) // RFC 4954 §4
  return octets
}

/** RFC 4954 §4: `=` is an empty initial response. */
const decodedInitial = (initial: Buffer) =>
  initial.length === 1 && initial[0] === 61 ? Buffer.alloc(0) : decoded(initial)

async function plain(talk: Conversation, desk: SessionDesk, initial: Buffer | null): Promise<Reply> {
  const message = initial ? decodedInitial(initial) : await responseTo(talk, '')
  try {
    const credentials = parsePlain(message)
    if (!credentials) throw new SmtpError(reply(501, '5.5.2', 'Not a PLAIN message'))
    const { authorization, user, credential } = credentials
    // RFC 4616 §2: acting for somebody else is not offered.
    if (authorization !== '' && authorization !== user) return await refused(talk)
    return await enter(talk, desk, user, credential)
  } finally {
    wipe(message)
  }
}

/** The de facto mechanism of old clients: prompts are the base64 of `Username:` and `Password:`. */
async function login(talk: Conversation, desk: SessionDesk, initial: Buffer | null): Promise<Reply> {
  const user = initial ? decodedInitial(initial) : await responseTo(talk, 'VXNlcm5hbWU6')
  const credential = await responseTo(talk, 'UGFzc3dvcmQ6')
  try {
    return await enter(talk, desk, user.toString('utf8'), credential)
  } finally {
    wipe(credential)
  }
}

/** RFC 5802 §5, RFC 7677 §2. The server's last message is a challenge, with an empty response (RFC 4954 §4). */
async function scram(talk: Conversation, desk: SessionDesk, first: Buffer | null): Promise<Reply> {
  const { ip } = talk.wire
  if (!talk.service.admission.mayLogin(ip)) throw unavailable()
  const { logInByScram } = await import('#session/sasl.ts')
  const ask = (challenge: Buffer) => responseTo(talk, challenge.toString('base64'))
  const initial = first && decodedInitial(first)
  const result = await logInByScram(desk, { protocol: 'submission', ip, initial, ask })
  if (result.kind === 'malformed') throw new SmtpError(reply(501, '5.5.2', `SCRAM: ${result.why}`))
  return enterBy(talk, result, WRONG_BY_SCRAM)
}

async function enter(talk: Conversation, desk: SessionDesk, user: string, credential: Buffer): Promise<Reply> {
  const { ip } = talk.wire
  if (!talk.service.admission.mayLogin(ip)) throw unavailable()
  return enterBy(talk, await desk.login({ user, credential, protocol: 'submission', ip }))
}

async function enterBy(talk: Conversation, result: LoginResult, wrong = INVALID): Promise<Reply> {
  const { metrics } = talk.service
  metrics.count('smtp_logins', { result: result.kind })
  switch (result.kind) {
    case 'welcome':
      talk.session = result.session
      talk.admitted.loggedIn()
      result.session.ended.addEventListener('abort', () => talk.wire.stop(), { once: true })
      return reply(235, '2.7.0', 'Authentication successful')
    case 'refused':
      return await refused(talk, wrong)
    case 'passphrase':
      return await failed(talk, PASSPHRASE_WANTED)
    case 'unavailable':
      throw unavailable()
  }
}

const unavailable = () => new SmtpError(reply(454, '4.7.0', 'Temporary authentication failure, try later'))

const INVALID = 'Authentication credentials invalid'

/** The same words whatever was wrong. */
function refused(talk: Conversation, why = INVALID): Promise<Reply> {
  talk.service.admission.loginFailed(talk.wire.ip)
  return failed(talk, why)
}

/** The same wait whatever was wrong. */
async function failed(talk: Conversation, why: string): Promise<Reply> {
  const { clock, limits } = talk.service
  talk.failedLogins++
  await pause(clock, limits.failedLoginDelayMs)
  const refusal = reply(535, '5.7.8', why)
  if (talk.failedLogins < limits.failedLogins) return refusal
  talk.wire.say(refusal)
  throw new Hangup('refused', reply(421, '4.7.0', 'Too many failed logins'))
}
