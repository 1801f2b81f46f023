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
const wire = corpus().map(dotStuffed)

async function open(load: Load): Promise<SmtpLine> {
  const line = await openLine(load.host, load.port)
  await line.say('', '220')
  await line.say('EHLO load.test\r\n', '250')
  if (load.style === 'starttls') {
    await line.startTls()
    await line.say('EHLO load.test\r\n', '250')
  }
  return line
}

/** RFC 2920 §3.1: MAIL, RCPT and DATA in one write. */
async function deliver(line: SmtpLine, recipient: string, message: Buffer): Promise<void> {
  await line.say(`MAIL FROM:<load@corpus.test>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`, '250', '250', '354')
  await line.say(message, '250')
}

async function run(load: Load): Promise<LoadDone> {
  const used = process.cpuUsage()
  let next = 0
  let acknowledged = 0
  let refusal: string | null = null
  const worker = async () => {
    let line: SmtpLine | null = null
    try {
      while (next < load.messages && refusal === null) {
        const number = next++
        line ??= await open(load)
        await deliver(line, load.recipients[number % load.recipients.length]!, wire[number % wire.length]!)
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
