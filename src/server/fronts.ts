/**
 * The fronts: processes of their own that serve IMAP and POP3 over the same data, each with its own event loop, store threads and vault.
 * The main process listens for them and gives each client to the front that has the fewest: a port that processes share (SO_REUSEPORT)
 * spreads clients by a hash of their addresses, which leaves a few long connections on one side, counts nobody over all of them, and
 * resets whoever waits at a process that dies.
 *
 * Keys never cross. What crosses is what must: the end of sessions, changes of mail for those who wait for them, failed logins, which are
 * counted over all, and claims (lib/claims.ts), so that a maildrop has one client and the index of an account one that tends it.
 */
import type { LoadedConfig } from '#config/load.ts'
import type { AccountId } from '#custody/accounts/directory.ts'
import type { StorePool, StorePoolOptions } from '#custody/store/store-pool.ts'
import { createClaims } from '#lib/claims.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { Reception } from '#servers/line/reception.ts'
import { type FailedLogin, LoginBrakes } from '#session/login-brakes.ts'
import { type Client, FrontProcess } from './front-process.ts'
import type { ChangeMade, FromFront, Question, Service, ToFront } from './front-wire.ts'

interface FrontsOptions {
  readonly config: LoadedConfig
  readonly clock: Clock
  readonly logger: Logger
}

/** A front did not start; its log says why. */
class FrontFailed extends Error {
  override readonly name = 'FrontFailed'
}

const REFUSALS: Readonly<Record<Service, string | null>> = {
  imaps: null,
  imap: '* BYE [UNAVAILABLE] Too many connections\r\n',
  pop3s: null,
  pop3: '-ERR [SYS/TEMP] Too many connections\r\n',
}

export class Fronts {
  /** Of the main process. */
  readonly brakes: LoginBrakes
  /** For the store of the main process. */
  readonly sharing: NonNullable<StorePoolOptions['sharing']>
  readonly #options: FrontsOptions
  readonly #fronts: readonly FrontProcess[]
  readonly #watched = new Set<AccountId>()
  /** Clients that came while no front could take them. */
  #waiting: Client[] = []
  #store: StorePool | null = null

  constructor(options: FrontsOptions) {
    this.#options = options
    const { config } = options
    const claims = createClaims()
    this.brakes = new LoginBrakes(config.limits.failedLogins, (failed) => this.#spreadFailure(null, failed))
    this.sharing = {
      claims,
      made: (account, mailbox, change) => this.#spreadChange(null, { account, mailbox, change }),
      watched: (account, watched) => {
        if (watched) this.#watched.add(account)
        else this.#watched.delete(account)
      },
    }
    const onNews = (from: FrontProcess, news: Extract<FromFront, { from: 'change' | 'failed-login' }>) => {
      if (news.from === 'failed-login') this.#spreadFailure(from, news.failed)
      else this.#spreadChange(from, { account: news.account, mailbox: news.mailbox, change: news.change })
    }
    const onUntaken = (client: Client) => this.#give(client)
    const onReady = () => this.#giveWaiting()
    this.#fronts = Array.from(
      { length: config.front.processes },
      (_, index) => new FrontProcess(index + 1, { ...options, claims, onReady, onUntaken, onNews }),
    )
  }

  /** Starts all. Throws when one does not come up. */
  async start(store: StorePool): Promise<void> {
    this.#store = store
    const started = await Promise.all(this.#fronts.map((front) => front.start()))
    if (!started.includes(false)) return
    await this.stop(0)
    throw new FrontFailed('a front process did not start; the lines above say why')
  }

  /** What listens for one service; stopping it stops no client. */
  reception(service: Service): Reception {
    const { connections, connectionsPerAddress } = this.#options.config.limits
    return new Reception({
      limits: { connections, connectionsPerAddress },
      refusal: REFUSALS[service],
      give: (socket, left) => this.#give({ service, socket, left }),
      logger: this.#options.logger,
    })
  }

  #give(client: Client): void {
    this.#waiting.push(client)
    this.#giveWaiting()
  }

  #giveWaiting(): void {
    for (const client of this.#waiting.splice(0)) {
      const [least] = this.#fronts.filter((front) => front.isReady).sort((a, b) => a.clients - b.clients)
      if (least) least.give(client)
      else this.#waiting.push(client)
    }
  }

  #others(from: FrontProcess | null): readonly FrontProcess[] {
    return this.#fronts.filter((front) => front !== from)
  }

  #spreadChange(from: FrontProcess | null, made: ChangeMade): void {
    const { account, mailbox, change } = made
    if (from && this.#watched.has(account)) this.#store?.hear(account, mailbox, change)
    for (const front of this.#others(from)) if (front.watches(account)) front.send({ to: 'change', ...made })
  }

  #spreadFailure(from: FrontProcess | null, failed: FailedLogin): void {
    if (from) void this.brakes.learn(failed)
    this.#tell({ to: 'failed-login', failed }, from)
  }

  #tell(message: ToFront, except: FrontProcess | null = null): void {
    for (const front of this.#others(except)) front.send(message)
  }

  #ask(question: Question): Promise<readonly (string | number | null)[]> {
    return Promise.all(this.#fronts.map((front) => front.ask(question)))
  }

  /** Resolves when no front has a session of this account, or of these slots of it, any more. */
  async endSessions(account: AccountId, slots?: readonly string[]): Promise<void> {
    await this.#ask({ ask: 'end-sessions', account, slots: slots ?? null })
  }

  /** The certificate files are looked at again. */
  reload(): void {
    this.#tell({ to: 'reload' })
  }

  /** In the text format, of each front. */
  async metrics(): Promise<readonly string[]> {
    return (await this.#ask({ ask: 'metrics' })).filter((text) => typeof text === 'string')
  }

  /** For /health. Throws when not all run. */
  async health(): Promise<string> {
    const unlocked = await this.#ask({ ask: 'unlocked' })
    const running = this.#fronts.filter((front) => front.isReady).length
    const clients = this.#fronts.reduce((sum, front) => sum + front.clients, 0)
    const accounts = unlocked.reduce<number>((sum, one) => sum + Number(one ?? 0), 0)
    const detail = `${running} of ${this.#fronts.length} run: ${clients} clients, ${accounts} accounts unlocked`
    if (running < this.#fronts.length) throw new Error(`${detail}; the others are being started again`)
    return detail
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front.stop(graceMs)))
    for (const { socket } of this.#waiting.splice(0)) socket.destroy()
  }
}
