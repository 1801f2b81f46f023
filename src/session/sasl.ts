/**
 * SCRAM-SHA-256 as a conversation of challenges and responses, the same in IMAP (RFC 3501 §6.2.2), POP3 (RFC 5034) and SMTP (RFC 4954):
 * none of them can carry the server's last message with its success, so that one is a challenge too, with an empty response.
 */
import type { MalformedScram } from '#formats/smtp/scram.ts'
import type { LoginResult, Protocol, SessionDesk } from './session.ts'

export interface ScramClient {
  readonly protocol: Protocol
  readonly ip: string
  /** The client's first message, where it came with the command. */
  readonly initial: Buffer | null
  /** Sends a challenge and answers the decoded response. Throws for a client that cancels or is gone. */
  ask(challenge: Buffer): Promise<Buffer>
}

const NOTHING = Buffer.alloc(0)

/** What `ask` throws is passed on; nobody is logged in then. */
export async function logInByScram(desk: SessionDesk, client: ScramClient): Promise<LoginResult | MalformedScram> {
  const { protocol, ip } = client
  const clientFirst = client.initial ?? (await client.ask(NOTHING))
  const begun = await desk.beginScram({ clientFirst, protocol, ip })
  if (begun.kind !== 'challenge') return begun
  const finished = await begun.finish(await client.ask(begun.challenge))
  if (finished.kind !== 'welcome') return finished
  const { session, challenge } = finished
  try {
    const response = await client.ask(challenge)
    if (response.length === 0) return { kind: 'welcome', session }
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
  await session[Symbol.asyncDispose]()
  return { kind: 'malformed', why: 'other-error' }
}
