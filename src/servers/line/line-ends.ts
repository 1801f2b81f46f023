/** Where a client's connection begins and ends, whatever is spoken between. */
import type { SecureContext } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Fields, Logger } from '#lib/log.ts'
import type { Wire } from './wire.ts'

interface Line {
  readonly context: {
    readonly clock: Clock
    readonly limits: { readonly loginTime: number }
    readonly tls: () => SecureContext
  }
  readonly wire: Wire
  readonly input: { restart(): void }
  logger: Logger
  secure: boolean
  readonly user: { readonly session: AsyncDisposable } | null
}

/** TLS from here on; what came before is forgotten. Throws ConnectionOver. */
export async function secureLine(line: Line): Promise<void> {
  const { clock, limits, tls } = line.context
  using _patience = clock.after(limits.loginTime, () => line.wire.destroy())
  await line.wire.startTls(tls())
  line.input.restart()
  line.secure = true
}

/** Ends the session, says what is left to say, and logs what it was; resolves when the client is gone. `begun`: milliseconds since the epoch. */
export async function finishLine(line: Line, protocol: string, begun: number, figures: Fields): Promise<void> {
  const { context, input, logger, user, wire } = line
  input.restart()
  try {
    await user?.session[Symbol.asyncDispose]()
  } catch (error) {
    logger.error({ error: error as Error }, 'session could not be closed')
  }
  wire.finish()
  await wire.closed()
  if (!user) return
  const { received, sent } = wire
  const seconds = Math.round((context.clock.now() - begun) / 1000)
  logger.info({ ...figures, seconds, received, sent }, `${protocol} logout`)
}
