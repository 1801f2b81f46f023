/**
 * IMAP sessions that wait in IDLE, and deliveries by LMTP that wake them, in a process of its own: what sees the 250 sees the EXISTS, on
 * one clock. It answers each wish of its parent (idle-driver.ts) with one message.
 */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { openLine } from '../../test/support/smtp-line.ts'

interface Account {
  readonly address: string
  readonly password: string
}

export type Wish =
  | {
      readonly kind: 'open'
      readonly host: string
      readonly port: number
      readonly sessions: number
      readonly accounts: readonly Account[]
    }
  | { readonly kind: 'deliver'; readonly host: string; readonly port: number; readonly deliveries: number }
  | { readonly kind: 'close' }

/** Of a 'deliver': milliseconds from the 250 to each EXISTS; for one that did not come, LOST_MS once, and its session counts no more. */
export type Done = { readonly latencies: readonly number[] } | { readonly failed: string }

/** Logins under way at once. */
const LOGINS = 8
export const LOST_MS = 15_000

class IdleSession {
  readonly #socket: TLSSocket
  #text = ''
  #wake = () => {}
  /** When the last EXISTS came. */
  #told: PromiseWithResolvers<number> = Promise.withResolvers()

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#text += text
      if (/^\* \d+ EXISTS\r\n/m.test(text)) this.#told.resolve(performance.now())
      this.#wake()
    })
    for (const event of ['error', 'close']) socket.on(event, () => this.#wake())
  }

  static async open(host: string, port: number, { address, password }: Account): Promise<IdleSession> {
    // Its certificate is one of a test.
    const socket = connect({ host, port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const session = new IdleSession(socket)
    const plain = Buffer.from(`\0${address}\0${password}`).toString('base64')
    await session.#say('', /^\* OK/)
    await session.#say(`1 AUTHENTICATE PLAIN ${plain}\r\n`, /^1 OK/m)
    await session.#say('2 SELECT INBOX\r\n', /^2 OK/m)
    await session.#say('3 IDLE\r\n', /^\+ /m)
    session.#told = Promise.withResolvers()
    return session
  }

  async #say(text: string, wanted: RegExp): Promise<void> {
    if (text !== '') this.#socket.write(text)
    while (!wanted.test(this.#text) || !this.#text.endsWith('\r\n')) {
      if (this.#socket.destroyed || /^\d (NO|BAD)/m.test(this.#text))
        throw new Error(`instead of ${wanted}: ${this.#text}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#text = ''
  }

  /** When the next EXISTS came. */
  async told(): Promise<number> {
    const at = await this.#told.promise
    this.#told = Promise.withResolvers()
    this.#text = ''
    return at
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

let accounts: readonly Account[] = []
let sessions: IdleSession[] = []

async function open(wish: Extract<Wish, { kind: 'open' }>): Promise<readonly number[]> {
  accounts = wish.accounts
  const opened: IdleSession[] = new Array(wish.sessions)
  let next = 0
  const some = async () => {
    for (let number = next++; number < wish.sessions; number = next++)
      opened[number] = await IdleSession.open(wish.host, wish.port, accounts[number % accounts.length]!)
  }
  await Promise.all(Array.from({ length: LOGINS }, some))
  sessions = opened
  return []
}

async function deliver({ host, port, deliveries }: Extract<Wish, { kind: 'deliver' }>): Promise<readonly number[]> {
  const line = await openLine(host, port)
  await line.say('', '220')
  await line.say('LHLO bench.test\r\n', '250')
  const latencies: number[] = []
  const lost = new Set<IdleSession>()
  for (let number = 0; number < deliveries; number++) {
    const to = number % accounts.length
    const { address } = accounts[to]!
    await line.say(`MAIL FROM:<bench@bench.test>\r\nRCPT TO:<${address}>\r\nDATA\r\n`, '250', '250', '354')
    const waiting = sessions.filter((session, index) => index % accounts.length === to && !lost.has(session))
    const told = waiting.map((session) => session.told())
    await line.say(`From: bench@bench.test\r\nTo: ${address}\r\nSubject: ${number}\r\n\r\nHello.\r\n.\r\n`, '250')
    const accepted = performance.now()
    const late = new Promise<null>((resolve) => setTimeout(resolve, LOST_MS, null).unref())
    for (const [index, one] of told.entries()) {
      const at = await Promise.race([one, late])
      latencies.push(at === null ? LOST_MS : Math.max(0, at - accepted))
      if (at === null) lost.add(waiting[index]!)
    }
  }
  return latencies
}

async function fulfil(wish: Wish): Promise<readonly number[]> {
  switch (wish.kind) {
    case 'open':
      return open(wish)
    case 'deliver':
      return deliver(wish)
    case 'close':
      for (const session of sessions.splice(0)) session.destroy()
      return []
  }
}

if (process.send) {
  process.on('message', (wish: Wish) => {
    fulfil(wish).then(
      (latencies) => process.send!({ latencies } satisfies Done),
      (error: Error) => process.send!({ failed: error.message } satisfies Done),
    )
  })
  process.send('ready')
}
