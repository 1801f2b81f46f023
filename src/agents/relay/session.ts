/**
 * A session with one next hop, as far as the point where mail can be handed over: greeting, EHLO, TLS, and for a smarthost
 * AUTH (RFC 5321 §3.1, §3.2; RFC 3207; RFC 4954).
 */
import type { TLSSocket } from 'node:tls'
import { formatCommand } from '#formats/smtp/command.ts'
import { isPositive, isTemporary, type Reply, reply } from '#formats/smtp/reply.ts'
import { ehloKeywords } from '#formats/smtp/reply-reader.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { authenticate, type Credentials } from './authentication.ts'
import type { Hop } from './next-hops.ts'
import type { RelayTls } from './relay-tls.ts'
import { ConnectionLost, SmtpClient } from './smtp-client.ts'

/** Milliseconds. */
export interface RelayTimeouts {
  readonly connect: number
  /** Greeting, EHLO, STARTTLS, MAIL, RCPT. */
  readonly command: number
  readonly data: number
  readonly block: number
  readonly dataEnd: number
}

/** RFC 5321 §4.5.3.2; connecting is ours to choose. */
export const STANDARD_TIMEOUTS: RelayTimeouts = {
  connect: 60_000,
  command: 300_000,
  data: 120_000,
  block: 180_000,
  dataEnd: 600_000,
}

/** How a hop must be spoken to. */
export type TlsMode =
  /** Where offered, whoever is there; in clear where that fails (RFC 7435). */
  | 'opportunistic'
  /** STARTTLS with a certificate that is valid for the host's name, or not at all. */
  | 'required'
  /** The same without STARTTLS: TLS from the first octet on. */
  | 'implicit'
  | 'none'

export interface SessionOptions {
  readonly hostname: string
  /** A host that calls itself by our name is us. Not so with a smarthost, which may share the machine and its name. */
  readonly detectLoops: boolean
  readonly bind?: string | undefined
  readonly tls: RelayTls
  readonly timeouts: RelayTimeouts
  readonly clock: Clock
}

export interface Session {
  readonly hop: Hop
  readonly client: SmtpClient
  /** Upper case; empty when the host knows no EHLO. */
  readonly keywords: ReadonlyMap<string, string>
  readonly tls: { readonly version: string; readonly cipher: string; readonly verified: boolean } | null
  /** Transactions begun. */
  used: number
  /** The last transaction ended in the middle: RSET comes first. */
  needsReset: boolean
}

export type Opened =
  | { readonly kind: 'open'; readonly session: Session }
  /** Nobody there, or not in a state to talk: another host may be. */
  | { readonly kind: 'unreachable'; readonly why: Reply }
  /** This host will never take mail from us. */
  | { readonly kind: 'refused'; readonly why: Reply }

const LOOP = reply(554, '5.4.6', 'mail for the domain comes back to this server')
const NO_TLS = reply(451, '4.7.5', 'the server offers no acceptable TLS')

/** Opens a session with the hop. With mode `opportunistic` a broken handshake leads to a second connection without TLS. */
export async function openSession(
  hop: Hop,
  mode: TlsMode,
  credentials: Credentials | null,
  options: SessionOptions & { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<Opened> {
  const opening = new Opening(hop, options)
  const opened = await opening.open(mode, credentials)
  if (opened !== 'handshake failed') return opened
  if (mode !== 'opportunistic') return { kind: 'unreachable', why: NO_TLS }
  options.logger.warn({ host: hop.host, ip: hop.ip }, 'TLS handshake failed, sending without TLS')
  const again = await new Opening(hop, options).open('none', credentials)
  return again === 'handshake failed' ? { kind: 'unreachable', why: NO_TLS } : again
}

class Opening {
  readonly #hop: Hop
  readonly #options: SessionOptions & { readonly signal: AbortSignal }
  #client: SmtpClient | null = null

  constructor(hop: Hop, options: SessionOptions & { readonly signal: AbortSignal }) {
    this.#hop = hop
    this.#options = options
  }

  async open(mode: TlsMode, credentials: Credentials | null): Promise<Opened | 'handshake failed'> {
    let opened: Opened | 'handshake failed' | null = null
    try {
      opened = await this.#attempt(mode, credentials)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      // RFC 3463 §3.5: X.4.1 no answer from host, X.4.2 bad connection
      const enhanced = this.#client === null ? '4.4.1' : '4.4.2'
      opened = { kind: 'unreachable', why: reply(451, enhanced, `${this.#hop.host}: ${error.message}`) }
    } finally {
      if (opened === null || typeof opened === 'string' || opened.kind !== 'open') this.#client?.[Symbol.dispose]()
    }
    return opened
  }

  async #attempt(mode: TlsMode, credentials: Credentials | null): Promise<Opened | 'handshake failed'> {
    const client = await this.#connect(mode)
    using _ = client.cutOn(this.#options.signal)
    const greeting = await client.reply(this.#options.timeouts.command)
    if (!isPositive(greeting)) return refusal(greeting, client)
    let keywords = await this.#hello()
    if ('code' in keywords) return refusal(keywords, client)
    if (mode === 'opportunistic' || mode === 'required') {
      const upgraded = keywords.has('STARTTLS') ? await this.#startTls(mode) : 'not offered'
      if (upgraded === 'handshake failed') return upgraded
      if (upgraded === 'not offered' && mode === 'required') return { kind: 'unreachable', why: NO_TLS }
      // RFC 3207 §4.2: what was learned before the handshake counts no more.
      if (upgraded === 'done') keywords = await this.#hello()
      if ('code' in keywords) return refusal(keywords, client)
    }
    if (credentials) {
      const refused = await authenticate(client, keywords, credentials, this.#options.timeouts.command)
      if (refused) return refused
    }
    const session = { hop: this.#hop, client, keywords, tls: tlsOf(client.tls), used: 0, needsReset: false }
    return { kind: 'open', session }
  }

  async #connect(mode: TlsMode): Promise<SmtpClient> {
    const { bind, tls, clock, timeouts, signal } = this.#options
    const { ip, port, host } = this.#hop
    const implicitTls = mode === 'implicit' ? tls.verified(host) : undefined
    this.#client = await SmtpClient.connect(
      { ip, port, localAddress: bind, implicitTls },
      clock,
      timeouts.connect,
      signal,
    )
    return this.#client
  }

  /** The keywords, or the reply that refuses us. */
  async #hello(): Promise<ReadonlyMap<string, string> | Reply> {
    const { hostname, timeouts, detectLoops } = this.#options
    const client = this.#client!
    client.write(`${formatCommand({ verb: 'EHLO', name: hostname })}\r\n`)
    const answer = await client.reply(timeouts.command)
    const called = answer.lines[0]?.split(' ', 1)[0]?.toLowerCase()
    if (isPositive(answer)) {
      return detectLoops && called === hostname.toLowerCase() ? LOOP : ehloKeywords(answer)
    }
    if (isTemporary(answer) || client.tls) return answer
    // RFC 5321 §3.2: an old server gets HELO.
    client.write(`${formatCommand({ verb: 'HELO', name: hostname })}\r\n`)
    const old = await client.reply(timeouts.command)
    return isPositive(old) ? new Map() : old
  }

  async #startTls(mode: TlsMode): Promise<'done' | 'not offered' | 'handshake failed'> {
    const { tls, timeouts } = this.#options
    const client = this.#client!
    client.write('STARTTLS\r\n')
    const answer = await client.reply(timeouts.command)
    if (answer.code !== 220) return 'not offered'
    const { host } = this.#hop
    try {
      await client.startTls(mode === 'required' ? tls.verified(host) : tls.opportunistic(host), timeouts.command)
      return 'done'
    } catch (error) {
      if (error instanceof ConnectionLost) return 'handshake failed'
      throw error
    }
  }
}

/** 421 says "not now" whatever went before (RFC 5321 §3.8); so does any other 4xx. */
function refusal(why: Reply, client: SmtpClient): Opened {
  client.quit()
  return { kind: why.code >= 500 ? 'refused' : 'unreachable', why }
}

function tlsOf(socket: TLSSocket | null): Session['tls'] {
  if (!socket) return null
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    verified: socket.authorized,
  }
}
