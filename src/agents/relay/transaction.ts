/**
 * One mail transaction (RFC 5321 §3.3): MAIL, RCPT for each recipient, DATA; pipelined where offered (RFC 2920), and the exact
 * reply that each recipient got.
 */
import { isAscii } from 'node:buffer'
import { domainToASCII } from 'node:url'
import { type Address, domainOf, needsSmtpUtf8 } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { scanHeader } from '#formats/message/header.ts'
import { formatCommand } from '#formats/smtp/command.ts'
import { dataPieces } from '#formats/smtp/message-writer.ts'
import { NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS } from '#formats/smtp/parameters.ts'
import { isPositive, isTemporary, type Reply, reply } from '#formats/smtp/reply.ts'
import type { Outcome, QueuedMail } from '../queue/queue.ts'
import type { RelayTimeouts, Session } from './session.ts'
import { ConnectionLost } from './smtp-client.ts'

export type Transacted =
  | { readonly kind: 'done'; readonly outcomes: readonly Outcome[] }
  /** The connection broke before the message could have been taken: another host may be tried. */
  | { readonly kind: 'lost'; readonly why: Reply }

const IN_DOUBT = 'the connection broke after the message was sent; it may have arrived'

/** What this session cannot carry, or null. The reply is for all recipients. */
export function unfit(session: Session, mail: QueuedMail, recipients: readonly EnvelopeRecipient[]): Reply | null {
  const { keywords } = session
  const limit = Number(keywords.get('SIZE') || 0)
  // RFC 1870 §6.1: no limit is 0 or none given.
  if (limit > 0 && mail.content.length > limit) {
    return reply(552, '5.3.4', `the message has ${mail.content.length} octets, the server takes ${limit}`)
  }
  if (!keywords.has('8BITMIME') && !isAscii(mail.content)) {
    return reply(554, '5.6.3', 'the message has 8-bit content, the server takes only 7-bit') // RFC 6152 §3
  }
  if (!keywords.has('SMTPUTF8') && needsUtf8(mail, recipients)) {
    return reply(553, '5.6.7', 'the message needs SMTPUTF8, which the server does not know') // RFC 6531 §3.5
  }
  return null
}

/** RFC 6531 §3.2: an address or a header that ASCII cannot carry. International domains travel as A-labels. */
function needsUtf8(mail: QueuedMail, recipients: readonly EnvelopeRecipient[]): boolean {
  const { reversePath, smtputf8 } = mail.envelope
  if ((reversePath && needsSmtpUtf8(reversePath)) || recipients.some(({ address }) => needsSmtpUtf8(address)))
    return true
  return smtputf8 && !isAscii(mail.content.subarray(0, scanHeader(mail.content).range.end))
}

/** Hands the message over for up to as many recipients as the server takes at once: outcomes for the first ones, in order. */
export async function transact(
  session: Session,
  mail: QueuedMail,
  recipients: readonly EnvelopeRecipient[],
  timeouts: RelayTimeouts,
): Promise<Transacted> {
  const transaction = new MailTransaction(session, mail, recipients, timeouts)
  session.used++
  try {
    return await transaction.run()
  } catch (error) {
    if (error instanceof ConnectionLost) return { kind: 'lost', why: lostReply(session, error.message) }
    throw error
  }
}

/** A try that never led to a conversation about the message. */
function lostReply(session: Session, words: string): Reply {
  return reply(451, '4.4.2', `${session.hop.host}: ${words}`)
}

/** The server is closing (RFC 5321 §3.8): as good as lost. */
class Closing extends Error {
  readonly reply: Reply
  constructor(answer: Reply) {
    super('421')
    this.reply = answer
  }
}

class MailTransaction {
  readonly #session: Session
  readonly #mail: QueuedMail
  readonly #recipients: readonly EnvelopeRecipient[]
  readonly #timeouts: RelayTimeouts
  readonly #outcomes: (Outcome | null)[]

  constructor(session: Session, mail: QueuedMail, recipients: readonly EnvelopeRecipient[], timeouts: RelayTimeouts) {
    this.#session = session
    this.#mail = mail
    this.#recipients = recipients
    this.#timeouts = timeouts
    this.#outcomes = recipients.map(() => null)
  }

  async run(): Promise<Transacted> {
    try {
      if (await this.#envelope()) await this.#content()
    } catch (error) {
      if (error instanceof Closing) {
        this.#session.client[Symbol.dispose]()
        return { kind: 'lost', why: error.reply }
      }
      throw error
    }
    return { kind: 'done', outcomes: this.#outcomes.map((outcome) => outcome!) }
  }

  /** Whether the content may follow; otherwise every recipient has its outcome. */
  async #envelope(): Promise<boolean> {
    const { keywords, client } = this.#session
    const lines = [this.#mailLine(), ...this.#recipients.map((recipient) => this.#rcptLine(recipient))]
    const pipelined = keywords.has('PIPELINING')
    const reset = this.#session.needsReset ? 'RSET\r\n' : ''
    if (pipelined) client.write(`${reset}${lines.join('')}DATA\r\n`)
    else if (reset) client.write(reset)
    if (reset) await this.#reply()
    this.#session.needsReset = true

    if (!pipelined) client.write(lines[0]!)
    const sender = await this.#reply()
    if (!isPositive(sender)) this.#settleOpen(sender)
    if (!pipelined && !isPositive(sender)) return false
    for (const at of this.#recipients.keys()) {
      if (!pipelined) client.write(lines[at + 1]!)
      const answer = await this.#reply()
      if (!isPositive(answer)) this.#outcomes[at] ??= this.#outcomeOf(forRecipient(answer))
    }
    const accepted = this.#outcomes.includes(null)
    if (!pipelined && !accepted) return false
    if (!pipelined) client.write('DATA\r\n')
    const data = await this.#reply(this.#timeouts.data)
    return this.#ready(data, accepted)
  }

  async #ready(data: Reply, accepted: boolean): Promise<boolean> {
    if (data.code === 354) {
      if (accepted) return true
      // RFC 2920 §3.1: DATA went out before it was known that nobody is left; the empty message goes to nobody.
      this.#session.client.write('.\r\n')
      await this.#reply(this.#timeouts.dataEnd)
      return false
    }
    this.#settleOpen(isPositive(data) ? reply(451, '4.5.0', 'the server answers DATA with nonsense') : data)
    return false
  }

  async #content(): Promise<void> {
    const { client } = this.#session
    let whole = false
    try {
      whole = await client.writeAll(dataPieces(this.#mail.content), this.#timeouts.block)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      // A server that breaks off in the middle says why first.
      const early = client.early()
      if (!early) throw error
      this.#settleOpen(early)
      return
    }
    if (!whole) {
      this.#breakOff(client.early()!)
      return
    }
    try {
      this.#settleOpen(await client.reply(this.#timeouts.dataEnd))
      this.#session.needsReset = false
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      // Trying another host now could deliver it twice (RFC 1047).
      this.#settleOpen(lostReply(this.#session, IN_DOUBT))
    }
  }

  /** The server answered before it had the whole message. It may still wait for the rest: nothing else can follow here. */
  #breakOff(early: Reply): void {
    this.#settleOpen(isPositive(early) ? reply(451, '4.5.0', 'the server answers before the message has ended') : early)
    this.#session.client[Symbol.dispose]()
  }

  async #reply(timeout = this.#timeouts.command): Promise<Reply> {
    const answer = await this.#session.client.reply(timeout)
    if (answer.code === 421) throw new Closing(answer)
    return answer
  }

  /** The reply counts for every recipient that has no outcome yet. */
  #settleOpen(answer: Reply): void {
    for (const at of this.#outcomes.keys()) this.#outcomes[at] ??= this.#outcomeOf(answer)
  }

  #outcomeOf(answer: Reply): Outcome {
    const { host } = this.#session.hop
    if (isPositive(answer)) {
      return { kind: 'delivered', by: answer, remote: host, dsnRelayed: this.#session.keywords.has('DSN') }
    }
    return { kind: isTemporary(answer) ? 'deferred' : 'failed', why: answer, remote: host }
  }

  #mailLine(): string {
    const { keywords } = this.#session
    const { content, envelope } = this.#mail
    const { reversePath, ret, envid } = envelope
    const dsn = keywords.has('DSN')
    return `${formatCommand({
      verb: 'MAIL',
      reversePath: reversePath && this.#onTheWire(reversePath),
      parameters: {
        ...NO_MAIL_PARAMETERS,
        size: keywords.has('SIZE') ? content.length : null,
        body: keywords.has('8BITMIME') && !isAscii(content) ? '8bitmime' : null,
        smtputf8: this.#utf8(),
        ret: dsn ? ret : null,
        envid: dsn ? envid : null,
      },
    })}\r\n`
  }

  #rcptLine({ address, notify, orcpt }: EnvelopeRecipient): string {
    const parameters = this.#session.keywords.has('DSN') ? { notify, orcpt } : NO_RCPT_PARAMETERS
    return `${formatCommand({ verb: 'RCPT', recipient: this.#onTheWire(address), parameters })}\r\n`
  }

  #utf8(): boolean {
    return (
      this.#session.keywords.has('SMTPUTF8') &&
      (this.#mail.envelope.smtputf8 || needsUtf8(this.#mail, this.#recipients))
    )
  }

  #onTheWire(address: Address): Address {
    if (this.#utf8() || address.domain.startsWith('[')) return address
    return { local: address.local, domain: domainToASCII(domainOf(address)) || address.domain }
  }
}

/** RFC 5321 §4.5.3.1.10: 552 used to mean "too many recipients", which is only for now. */
function forRecipient(answer: Reply): Reply {
  return answer.code === 552 && (answer.enhanced === null || answer.enhanced === '5.5.3')
    ? { ...answer, code: 452, enhanced: '4.5.3' }
    : answer
}
