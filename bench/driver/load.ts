/**
 * The load generator, in a process of its own so that its cost is not the server's: raw sockets, prebuilt messages, the envelope
 * pipelined. It is told what to do by its parent's messages and answers each with one `LoadDone`.
 */
import { dotStuffed, openLine, type SmtpLine } from '../../test/support/smtp-line.ts'
import { corpus } from '../corpus.ts'

export interface Load {
  readonly host: string
  readonly port: number
  readonly connections: number
  readonly messages: number
  /** Message n goes to recipient n modulo their number. */
  readonly recipients: readonly string[]
  /** Many messages over each connection, or a new connection with STARTTLS for each message. */
  readonly style: 'persistent' | 'starttls'
  /** Who sends by submission: every connection uses STARTTLS and logs in, before the time begins. */
  readonly author?: { readonly address: string; readonly password: string }
  /** Lines at the top of each message, with CRLF. */
  readonly fields?: string
}

export interface LoadDone {
  /** Milliseconds since the epoch, with fractions. */
  readonly started: number
  readonly finished: number
  readonly acknowledged: number
  /** CPU time of this process. */
  readonly cpuMs: number
  /** The first reply that was not as hoped. */
  readonly refusal: string | null
}

/** Ready to be written as they are. */
const common = corpus().map(dotStuffed)

function wireOf({ author, fields = '' }: Load): readonly Buffer[] {
  if (author === undefined) return common
  return corpus().map((message) => {
    const text = message.toString('latin1').replace(/^From: .*\r$/m, `From: ${author.address}\r`)
    return dotStuffed(Buffer.from(fields + text, 'latin1'))
  })
}

async function open(load: Load): Promise<SmtpLine> {
  const line = await openLine(load.host, load.port)
  await line.say('', '220')
  await line.say('EHLO load.test\r\n', '250')
  if (load.style === 'starttls' || load.author) {
    await line.startTls()
    await line.say('EHLO load.test\r\n', '250')
  }
  if (load.author) await line.logIn(load.author)
  return line
}

/** RFC 2920 §3.1: MAIL, RCPT and DATA in one write. */
async function deliver(line: SmtpLine, { from, to }: { from: string; to: string }, message: Buffer): Promise<void> {
  await line.say(`MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`, '250', '250', '354')
  await line.say(message, '250')
}

async function run(load: Load): Promise<LoadDone> {
  const wire = wireOf(load)
  const from = load.author?.address ?? 'load@corpus.test'
  const entered = load.author ? await Promise.all(Array.from({ length: load.connections }, () => open(load))) : []
  const used = process.cpuUsage()
  let next = 0
  let acknowledged = 0
  let refusal: string | null = null
  const worker = async () => {
    let line = entered.pop() ?? null
    try {
      while (next < load.messages && refusal === null) {
        const number = next++
        line ??= await open(load)
        const envelope = { from, to: load.recipients[number % load.recipients.length]! }
        await deliver(line, envelope, wire[number % wire.length]!)
        acknowledged++
        if (load.style === 'starttls') {
          line.end()
          line = null
        }
      }
      line?.end()
    } catch (error) {
      refusal ??= String(error)
      line?.destroy()
    }
  }
  const started = performance.timeOrigin + performance.now()
  await Promise.all(Array.from({ length: load.connections }, worker))
  const finished = performance.timeOrigin + performance.now()
  const { user, system } = process.cpuUsage(used)
  return { started, finished, acknowledged, cpuMs: (user + system) / 1000, refusal }
}

process.on('message', async (load: Load) => {
  process.send!(await run(load))
})
process.send!('ready')
