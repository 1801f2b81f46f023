import type { Address } from '#formats/message/address.ts'
import type { Logger } from '#lib/log.ts'
import { Busy, WorkGate } from '#lib/work-gate.ts'
import type { DiscovererSource } from './discovery.ts'

const AT_ONCE = 4
const WAITING_MAX = 256

/**
 * Looks an author up when their sealed mail arrives, in the background: their provider then hears nothing when somebody reads it.
 * Where too many wait, it is left out: the signature is checked with a question of its own later.
 */
export function createLookAhead(discovery: DiscovererSource, logger: Logger): (author: Address) => void {
  const gate = new WorkGate(AT_ONCE, WAITING_MAX)
  return (author) => {
    const look = async () => void (await (await discovery.discoverer()).discover(author))
    gate.run(look).catch((error: Error) => {
      if (error instanceof Busy) return
      logger.warn({ error, author }, 'the author of sealed mail could not be looked up')
    })
  }
}
