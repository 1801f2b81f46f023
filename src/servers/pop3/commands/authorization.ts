import type { Command } from '#formats/pop3/command.ts'
import { decodeBase64, parsePlain } from '#formats/smtp/sasl.ts'
import { wipe } from '#lib/bytes.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { WRONG_BY_SCRAM } from '#servers/line/manners.ts'
import type { Conversation } from '../conversation.ts'
import { enter, enterBy } from '../login.ts'
import { bad, no } from '../refusal.ts'

type Of<K extends Command['kind']> = Extract<Command, { kind: K }>

const needsTls = () => no('Start TLS first')

/** RFC 1939 §7: the answer is the same for every name. */
export async function user(talk: Conversation, { name }: Of<'user'>): Promise<string> {
  if (!talk.secure) throw needsTls()
  talk.name = name
  return 'Send the password'
}

/** RFC 1939 §7: comes right after USER, and a failed one begins again there. */
export async function pass(talk: Conversation, { password }: Of<'pass'>): Promise<string> {
  const { name } = talk
  talk.name = null
  try {
    if (!talk.secure) throw needsTls()
    if (name === null) throw bad('Send USER first')
    return await enter(talk, name, password)
  } finally {
    wipe(password)
  }
}

/** RFC 5034 §4. PLAIN for every password, SCRAM-SHA-256 for app passwords. Without a mechanism, old clients ask which there are. */
export async function auth(talk: Conversation, { mechanism, initial }: Of<'auth'>): Promise<string | null> {
  if (mechanism === null) {
    talk.ok('Mechanisms follow')
    talk.wire.send([...talk.mechanisms, '.\r\n'].join('\r\n'))
    return null
  }
  try {
    if (!talk.secure) throw needsTls()
    if (mechanism === 'SCRAM-SHA-256') return await byScram(talk, initial)
    if (mechanism !== 'PLAIN') throw no('This mechanism is not supported')
    return await logInBy(talk, initial ?? (await askForResponse(talk, '')))
  } finally {
    if (initial) wipe(initial)
  }
}

/** RFC 5802 §5, RFC 7677 §2. The server's last message is a challenge, with an empty response (RFC 5034 §4). */
async function byScram(talk: Conversation, initial: Buffer | null): Promise<string> {
  const { logInByScram } = await import('#session/sasl.ts')
  const first = initial ? decoded(initial) : null
  const ask = async (challenge: Buffer) => decoded(await askForResponse(talk, challenge.toString('base64')))
  const { desk } = talk.context
  const result = await logInByScram(desk, { protocol: 'pop3', ip: talk.ip, initial: first, ask })
  if (result.kind === 'malformed') throw bad(`SCRAM: ${result.why}`)
  return enterBy(talk, result, WRONG_BY_SCRAM)
}

function decoded(encoded: Buffer): Buffer {
  const message = decodeBase64(encoded)
  wipe(encoded)
  if (!message) throw bad('Not base64')
  return message
}

async function logInBy(talk: Conversation, encoded: Buffer): Promise<string> {
  const message = decoded(encoded)
  try {
    const plain = parsePlain(message)
    if (!plain) throw bad('Not a PLAIN credential')
    // RFC 4616 §2: nobody may act as somebody else here.
    if (plain.authorization !== '' && plain.authorization !== plain.user)
      throw no('You can act only as yourself', 'AUTH')
    return await enter(talk, plain.user, plain.credential)
  } finally {
    wipe(message)
  }
}

async function askForResponse(talk: Conversation, challenge: string): Promise<Buffer> {
  talk.wire.send(`+ ${challenge}\r\n`)
  const line = await talk.input.line()
  if (line === 'gone' || line === 'late') throw new ConnectionOver()
  if (line === 'too-long') throw bad('The response is too long')
  if (line.length === 1 && line[0] === 0x2a) throw no('Cancelled')
  return line
}
