/** Those who log in to read: the session desk, and the servers of IMAP and POP3 in front of it. */
import type { SubmissionAgent } from '#agents/submission/submission.ts'
import type { Claims } from '#lib/claims.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { Settling } from '#lib/settling.ts'
import type { DiscovererSource } from '#privacy/discovery/discovery.ts'
import { createAids } from '#privacy/e2e/aids.ts'
import { createImapServer, type ImapServer } from '#servers/imap/imap-server.ts'
import { defaultImapLimits, type ImapLimits } from '#servers/imap/limits.ts'
import { createPop3Server, type Pop3Server } from '#servers/pop3/pop3-server.ts'
import type { LoginBrakes } from '#session/login-brakes.ts'
import type { SessionDesk } from '#session/session.ts'
import { createSessionDesk } from '#session/session-desk.ts'
import type { Foundation } from './foundation.ts'
import type { Service } from './front-wire.ts'

interface DeskParts {
  readonly submission: SubmissionAgent
  readonly discovery: DiscovererSource
  readonly brakes: LoginBrakes | number
}

export function createDesk(foundation: Foundation, { submission, discovery, brakes }: DeskParts): SessionDesk {
  const { config, directory, keyring, store, logger, metrics } = foundation
  return createSessionDesk({
    directory,
    keyring,
    store,
    submission,
    aid: createAids({ ...foundation, discovery, authservId: config.hostname, clock }),
    logger,
    metrics,
    failedLogins: brakes,
    now: clock.now,
    clock,
  })
}

interface ReaderParts {
  readonly desk: SessionDesk
  /** Where several processes serve the same maildrops. */
  readonly locks?: Claims
}

export function createReaders(
  { config, certificates, logger, metrics }: Foundation,
  { desk, locks }: ReaderParts,
): Record<Service, ImapServer | Pop3Server> {
  const { messageSize, connections, connectionsPerAddress } = config.limits
  const limits = { messageSize, connections, connectionsPerAddress }
  const shared = { tls: certificates.current, desk, clock, logger, metrics, settling: new Settling(clock) }
  const imap = (implicitTls: boolean) =>
    createImapServer({ ...shared, implicitTls, limits: { ...limits, ...memoryOf(config) } })
  const pop3 = (implicitTls: boolean) =>
    createPop3Server({ ...shared, implicitTls, limits, ...(locks ? { locks } : {}) })
  return { imaps: imap(true), imap: imap(false), pop3s: pop3(true), pop3: pop3(false) }
}

/** Fronts divide among them what there is for IMAP, but each has room for two of the largest messages. */
function memoryOf({ front, limits }: Foundation['config']): Partial<ImapLimits> {
  const share = 1 / Math.max(1, front.processes)
  const few = 2 * limits.messageSize
  const part = (octets: number) => Math.max(octets * share, Math.min(octets, few))
  const each = (octets: number) => Math.max(octets * share, few)
  const { appendMemoryPerAccount, fetchMemory, fetchMemoryPerAccount, keptContents } = defaultImapLimits
  return {
    appendMemory: part(limits.memory),
    appendMemoryPerAccount: each(appendMemoryPerAccount),
    fetchMemory: part(fetchMemory),
    fetchMemoryPerAccount: each(fetchMemoryPerAccount),
    keptContents: keptContents * share,
  }
}
