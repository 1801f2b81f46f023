/**
 * One connection to another provider's IMAP server, read only: the only importer of the IMAP client. The server is not trusted: TLS
 * is verified, nothing is sent before it, and what it may make us hold is bounded.
 */
import type { FetchMessageObject, ImapFlow, ListResponse } from 'imapflow'
import { type ImapPlace, isLoopback } from './imap-url.ts'
import { SourceFailed } from './import.ts'

export interface ImapAccess extends ImapPlace {
  /** UTF-8. Its owner wipes it. */
  readonly password: Buffer
  /** PEM certificates of a private authority, instead of the public ones. */
  readonly ca: string | null
  readonly messageLimit: number
}

export interface RemoteMailbox {
  readonly path: string
  readonly levels: readonly string[]
  /** RFC 6154 attribute with its backslash. */
  readonly specialUse: string | null
}

export interface MessageFacts {
  readonly uid: number
  readonly size: number
  readonly flags: readonly string[]
  readonly internalDate: number | null
}

const LINE_OCTETS = 64 * 1024 * 1024
const WORDS_KEPT = 200

/** The connection is gone: another one may go on. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}
/** The server said NO or BAD to a command. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
}

interface ClientError extends Error {
  readonly code?: string
  readonly authenticationFailed?: boolean
  readonly responseStatus?: string
  readonly responseText?: string
}

const reason = (error: ClientError) => (error.responseText ?? error.message).slice(0, WORDS_KEPT)

function refusalOf(error: unknown): Error {
  const known = error as ClientError
  return known.responseStatus === undefined
    ? new ConnectionLost(reason(known), { cause: error })
    : new CommandRefused(reason(known), { cause: error })
}

/** What is wrong with a connection that was never there; null when trying again may help. */
function fatal(error: ClientError, { host, user, implicitTls }: ImapAccess): SourceFailed | null {
  if (error.authenticationFailed) return new SourceFailed(`${host} refuses the login of ${user}: ${reason(error)}`)
  const code = error.code ?? ''
  if (/CERT|SIGNATURE|ERR_TLS_CERT/.test(code))
    return new SourceFailed(
      `the certificate of ${host} is not to be trusted (${code}); a private authority is named with --ca FILE`,
    )
  if (/STARTTLS/.test(`${code} ${error.message}`))
    return new SourceFailed(`${host} offers no STARTTLS, so the password would go in clear; try imaps://`)
  if (/ENOTFOUND|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(code))
    return new SourceFailed(`${host} cannot be reached (${code})`)
  if (/SSL|TLS/.test(code) && implicitTls)
    return new SourceFailed(`${host} does not speak TLS on this port (${code}); imap:// begins without and upgrades`)
  return null
}

async function makeClient(access: ImapAccess): Promise<ImapFlow> {
  const { ImapFlow } = await import('imapflow')
  const { implicitTls, host, port, user, password, ca, messageLimit } = access
  const upgrade = implicitTls ? {} : { doSTARTTLS: !isLoopback(host) || ca !== null }
  return new ImapFlow({
    host,
    port,
    secure: implicitTls,
    ...upgrade,
    auth: { user, pass: password.toString() },
    tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) },
    logger: false,
    disableAutoIdle: true,
    disableCompression: true,
    maxLineLength: LINE_OCTETS,
    maxLiteralSize: messageLimit + 1024,
    maxResponseSize: messageLimit + LINE_OCTETS,
  })
}

export class ImapConnection {
  readonly #client: ImapFlow

  private constructor(client: ImapFlow) {
    this.#client = client
  }

  /** Throws SourceFailed when it makes no sense to try again, otherwise ConnectionLost. */
  static async open(access: ImapAccess): Promise<ImapConnection> {
    const client = await makeClient(access)
    // Told by the command that is under way, or by the next one.
    client.on('error', () => {})
    try {
      await client.connect()
    } catch (error) {
      client.close()
      throw fatal(error as ClientError, access) ?? new ConnectionLost(reason(error as ClientError), { cause: error })
    }
    return new ImapConnection(client)
  }

  async #run<T>(run: () => Promise<T>): Promise<T> {
    if (!this.#client.usable) throw new ConnectionLost('the server closed the connection')
    try {
      return await run()
    } catch (error) {
      throw refusalOf(error)
    }
  }

  async mailboxes(): Promise<readonly RemoteMailbox[]> {
    const listed = await this.#run(() => this.#client.list())
    const prefix = this.#client.namespace ? this.#client.namespace.prefix : ''
    return listed
      .filter(({ flags }) => !flags.has('\\Noselect') && !flags.has('\\NonExistent'))
      .map((one) => remote(one, prefix))
  }

  /** Answers UIDVALIDITY. Nothing is marked as seen. */
  async select(path: string): Promise<string> {
    const opened = await this.#run(() => this.#client.mailboxOpen(path, { readOnly: true }))
    return String(opened.uidValidity)
  }

  /** Of the selected mailbox, ascending. */
  async uids(): Promise<readonly number[]> {
    const found = await this.#run(() => this.#client.search({ all: true }, { uid: true }))
    if (!found) throw new CommandRefused('the server would not list its messages')
    return [...new Set(found)].sort((a, b) => a - b)
  }

  /** Those of `uids` that are there. */
  async facts(uids: readonly number[]): Promise<ReadonlyMap<number, MessageFacts>> {
    const query = { uid: true, flags: true, internalDate: true, size: true }
    const rows = await this.#run(() => this.#client.fetchAll(uids.join(','), query, { uid: true }))
    return new Map(rows.map((row) => [row.uid, factsOf(row)]))
  }

  /** Whole messages, as they come; the server is read no faster than they are taken. */
  async *contents(uids: readonly number[]): AsyncGenerator<{ readonly uid: number; readonly content: Buffer }> {
    if (!this.#client.usable) throw new ConnectionLost('the server closed the connection')
    const rows = this.#client.fetch(uids.join(','), { uid: true, source: true }, { uid: true })
    for (;;) {
      const { done, value } = await rows.next().catch((error) => {
        throw refusalOf(error)
      })
      if (done || !value) return
      if (value.source) yield { uid: value.uid, content: value.source }
    }
  }

  close(): void {
    this.#client.close()
  }

  async logout(): Promise<void> {
    await this.#client.logout().catch(() => {})
    this.#client.close()
  }
}

function remote({ path, delimiter, specialUse }: ListResponse, prefix: string): RemoteMailbox {
  const own = prefix !== '' && path.startsWith(prefix) ? path.slice(prefix.length) : path
  return { path, levels: delimiter ? own.split(delimiter) : [own], specialUse: specialUse ?? null }
}

function factsOf({ uid, size, flags, internalDate }: FetchMessageObject): MessageFacts {
  const date = typeof internalDate === 'object' ? internalDate.getTime() : Number.NaN
  return { uid, size: size ?? 0, flags: [...(flags ?? [])], internalDate: Number.isNaN(date) ? null : date }
}
