/**
 * Reads another provider's mailboxes by IMAP. A lost connection is made again and goes on where it was; what was imported before is
 * known by mailbox, UIDVALIDITY and UID (RFC 3501 §2.3.1.1) and not fetched again.
 */
import type { SpecialUse } from '#custody/store/mail-store.ts'
import { type Clock, pause } from '#lib/clock.ts'
import {
  CommandRefused,
  ConnectionLost,
  type ImapAccess,
  ImapConnection,
  type MessageFacts,
  type RemoteMailbox,
} from './imap-connection.ts'
import { type MailSource, type SourceEntry, SourceFailed, type SourceMailbox } from './import.ts'
import { toWireForm } from './wire-form.ts'

export interface ImapSourceOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told when a connection is lost and made again. */
  readonly notice: (text: string) => void
}

const BATCH = 200
/** Milliseconds before each further try. */
const PAUSES = [500, 2000, 8000, 20_000]

const USES: ReadonlyMap<string, SpecialUse> = new Map([
  ['\\sent', 'Sent'],
  ['\\drafts', 'Drafts'],
  ['\\trash', 'Trash'],
  ['\\junk', 'Junk'],
  ['\\archive', 'Archive'],
  ['\\all', 'Archive'],
])

type Unreadable = Extract<SourceEntry, { kind: 'unreadable' }>

/** A mailbox that may not be opened is named; any other refusal ends it. */
class ServerRefused extends SourceFailed {}

interface Selected {
  readonly path: string
  readonly uidValidity: string
}

class ImapSource implements MailSource {
  readonly #access: ImapAccess
  readonly #options: ImapSourceOptions
  #connection: ImapConnection | null = null
  #selected: string | null = null
  #wasThere = false

  constructor(access: ImapAccess, options: ImapSourceOptions) {
    this.#access = access
    this.#options = options
    options.signal.addEventListener('abort', () => this.#connection?.close(), { once: true })
  }

  async *mailboxes(): AsyncGenerator<SourceMailbox | Unreadable> {
    const wanted = this.#access.mailbox
    const all = await this.#attempt((connection) => connection.mailboxes())
    const found = wanted === null ? all : all.filter((one) => one.path === wanted || one.levels.join('/') === wanted)
    if (found.length === 0)
      throw new SourceFailed(
        wanted === null ? `${this.#access.host} has no mailboxes` : `${this.#access.host} has no mailbox ${wanted}`,
      )
    const use = (one: RemoteMailbox) => one.specialUse?.toLowerCase() ?? ''
    // RFC 6154 §2: \Flagged shows messages of other mailboxes and no others; \All shows them too.
    const real = wanted === null ? found.filter((one) => use(one) !== '\\flagged' && use(one) !== '\\important') : found
    const isView = (one: RemoteMailbox) => wanted === null && use(one) === '\\all'
    for (const one of [...real.filter((one) => !isView(one)), ...real.filter(isView)]) {
      let mailbox: SourceMailbox | Unreadable
      try {
        mailbox = await this.#mailbox(one, USES.get(use(one)) ?? null, isView(one))
      } catch (error) {
        if (!(error instanceof ServerRefused)) throw error
        mailbox = { kind: 'unreadable', name: one.path, why: error.message }
      }
      yield mailbox
    }
  }

  async #mailbox(
    { path, levels }: RemoteMailbox,
    specialUse: SpecialUse | null,
    isView: boolean,
  ): Promise<SourceMailbox> {
    const { uidValidity, uids } = await this.#attempt(async (connection) => {
      this.#selected = null
      const uidValidity = await connection.select(path)
      this.#selected = path
      return { uidValidity, uids: await connection.uids() }
    })
    const entries: SourceMailbox['entries'] = (known) => this.#entries({ path, uidValidity }, uids, known)
    return { levels, specialUse, isView, count: uids.length, entries }
  }

  async *#entries(
    mailbox: Selected,
    uids: readonly number[],
    known: Parameters<SourceMailbox['entries']>[0],
  ): AsyncGenerator<SourceEntry> {
    const { user, host, messageLimit } = this.#access
    const originOf = (uid: number) => `${user}@${host}\0${mailbox.path}\0${mailbox.uidValidity}\0${uid}`
    for (let at = 0; at < uids.length; at += BATCH) {
      const batch = uids.slice(at, at + BATCH)
      const isKnown = await known(batch.map(originOf))
      const fresh = batch.filter((_, index) => !isKnown[index])
      for (let count = batch.length - fresh.length; count > 0; count--) yield { kind: 'known' }
      if (fresh.length === 0) continue
      const facts = await this.#attempt((connection) => this.#in(mailbox, connection, () => connection.facts(fresh)))
      const wanted: MessageFacts[] = []
      for (const uid of fresh) {
        const fact = facts.get(uid)
        // Deleted there meanwhile.
        if (!fact) continue
        if (fact.size > messageLimit)
          yield {
            kind: 'unreadable',
            name: `UID ${uid}`,
            why: `it is larger than limits.messageSize (${fact.size} octets)`,
          }
        else wanted.push(fact)
      }
      yield* this.#contents(mailbox, wanted, originOf)
    }
  }

  /** One that breaks the connection twice, or that the server will not hand out, is named; the rest is fetched again. */
  async *#contents(
    mailbox: Selected,
    facts: readonly MessageFacts[],
    originOf: (uid: number) => string,
  ): AsyncGenerator<SourceEntry> {
    const missing = new Map(facts.map((fact) => [fact.uid, fact]))
    let failures = 0
    while (missing.size > 0) {
      const uids = failures === 0 ? [...missing.keys()] : [missing.keys().next().value!]
      let why = 'the server did not hand it out'
      try {
        const connection = await this.#connected()
        await this.#in(mailbox, connection, async () => {})
        for await (const { uid, content } of connection.contents(uids)) {
          const fact = missing.get(uid)
          if (!fact) continue
          missing.delete(uid)
          failures = 0
          const { flags, internalDate } = fact
          yield {
            kind: 'message',
            name: `UID ${uid}`,
            content: toWireForm(content),
            internalDate,
            flags,
            origin: originOf(uid),
          }
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost || error instanceof CommandRefused) || this.#options.signal.aborted)
          throw error
        const isLost = error instanceof ConnectionLost
        if (isLost) this.#lose()
        why = isLost ? `the connection breaks when it is fetched (${error.message})` : error.message
      }
      const [first] = uids.filter((uid) => missing.has(uid))
      if (first === undefined || ++failures < 2) continue
      missing.delete(first)
      failures = 1
      yield { kind: 'unreadable', name: `UID ${first}`, why }
    }
  }

  /** Runs it with that mailbox selected. */
  async #in<T>({ path, uidValidity }: Selected, connection: ImapConnection, run: () => Promise<T>): Promise<T> {
    if (this.#selected !== path) {
      if ((await connection.select(path)) !== uidValidity)
        throw new SourceFailed(`${path} was replaced on ${this.#access.host} meanwhile: run the import again`)
      this.#selected = path
    }
    return run()
  }

  /** Runs it again on a new connection when one is lost. Throws SourceFailed. */
  async #attempt<T>(run: (connection: ImapConnection) => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      const connection = await this.#connected()
      try {
        return await run(connection)
      } catch (error) {
        if (this.#options.signal.aborted) throw error
        if (error instanceof CommandRefused) throw new ServerRefused(`${this.#access.host} refuses: ${error.message}`)
        if (!(error instanceof ConnectionLost)) throw error
        this.#lose()
        if (tries === PAUSES.length) throw new SourceFailed(`${this.#access.host}: ${error.message}`)
      }
    }
  }

  #lose(): void {
    this.#connection?.close()
    this.#connection = null
    this.#selected = null
  }

  /** The connection, made again when it was lost. */
  async #connected(): Promise<ImapConnection> {
    for (let tries = 0; !this.#connection; tries++) {
      this.#options.signal.throwIfAborted()
      if (this.#wasThere && tries === 0)
        this.#options.notice(`the connection to ${this.#access.host} was lost; trying again`)
      try {
        this.#connection = await ImapConnection.open(this.#access)
        this.#wasThere = true
      } catch (error) {
        const last = !this.#wasThere || tries === PAUSES.length
        if (error instanceof ConnectionLost && last) throw new SourceFailed(`${this.#access.host}: ${error.message}`)
        if (last) throw error
        await pause(this.#options.clock, PAUSES[tries]!, this.#options.signal)
      }
    }
    return this.#connection
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.logout()
  }
}

/** Connects when it is first asked. `access.password` must live as long as the source. */
export function createImapSource(access: ImapAccess, options: ImapSourceOptions): MailSource {
  return new ImapSource(access, options)
}
