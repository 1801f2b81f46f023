import type { Command } from '#formats/imap/command.ts'
import { decodeSaslBase64 } from '#formats/imap/sasl-base64.ts'
import { wipe } from '#lib/bytes.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { WRONG_BY_SCRAM } from '#servers/line/manners.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no } from '../imap-error.ts'
import { enter, enterBy } from '../login.ts'
import { parsePlain } from '../sasl-plain.ts'

type Authenticate = Command & { kind: 'authenticate' }

/** RFC 3501 §6.2.2 with the initial response of RFC 4959. PLAIN and LOGIN for every password, SCRAM-SHA-256 for app passwords. */
export async function authenticate(talk: Conversation, command: Authenticate): Promise<Completion> {
  if (!talk.secure) {
    if (command.initialResponse) wipe(command.initialResponse)
    throw no('PRIVACYREQUIRED', 'Start TLS first')
  }
  if (command.mechanism === 'SCRAM-SHA-256') return byScram(talk, command.initialResponse)
  if (command.mechanism === 'LOGIN') return byLogin(talk, command.initialResponse)
  if (command.mechanism === 'PLAIN') return byPlain(talk, command.initialResponse)
  if (command.initialResponse) wipe(command.initialResponse)
  throw no('CANNOT', 'This mechanism is not supported')
}

async function byPlain(talk: Conversation, initial: Buffer | null): Promise<Completion> {
  const credential = parsePlain(initial ?? (await askForResponse(talk, '')))
  try {
    // RFC 4616 §2: nobody may act as somebody else here.
    if (credential.authorization !== '' && credential.authorization !== credential.user)
      throw no('AUTHORIZATIONFAILED', 'You can act only as yourself')
    return done('Welcome', await enter(talk, credential.user, credential.password))
  } finally {
    wipe(credential.password)
  }
}

/** The de facto mechanism of old clients (draft-murchison-sasl-login): it asks for `Username:`, unless that came along, and `Password:`. */
async function byLogin(talk: Conversation, initial: Buffer | null): Promise<Completion> {
  const user = initial ?? (await askForResponse(talk, 'VXNlcm5hbWU6'))
  const credential = await askForResponse(talk, 'UGFzc3dvcmQ6')
  try {
    return done('Welcome', await enter(talk, user.toString('utf8'), credential))
  } finally {
    wipe(credential)
  }
}

/** RFC 5802 §5, RFC 7677 §2. The server's last message is a challenge with an empty response: OK has no place for it (RFC 3501 §6.2.2). */
async function byScram(talk: Conversation, initial: Buffer | null): Promise<Completion> {
  const { logInByScram } = await import('#session/sasl.ts')
  const ask = (challenge: Buffer) => askForResponse(talk, challenge.toString('base64'))
  const result = await logInByScram(talk.context.desk, { protocol: 'imap', ip: talk.ip, initial, ask })
  if (result.kind === 'malformed') throw bad(`SCRAM: ${result.why}`)
  return done('Welcome', await enterBy(talk, result, WRONG_BY_SCRAM))
}

async function askForResponse(talk: Conversation, challenge: string): Promise<Buffer> {
  talk.wire.send(`+ ${challenge}\r\n`)
  await talk.wire.flush()
  const line = await talk.input.line()
  if (line === null) throw new ConnectionOver()
  try {
    if (line.length === 1 && line[0] === 0x2a) throw bad('Cancelled')
    const response = decodeSaslBase64(line)
    if (!response) throw bad('Not base64')
    return response
  } finally {
    wipe(line)
  }
}
