import type { DeliveryAgent } from '../queue/queue.ts'
import type { SealingOptions } from './sealing.ts'

/** Seals what waits for a certificate and hands it to `next`; see sealing.ts for what it promises. */
export function createSealingAgent(options: SealingOptions): DeliveryAgent {
  return {
    async deliver(mail, recipients, signal) {
      const { waiting, ...sealed } = mail
      if (!waiting) return await options.next.deliver(mail, recipients, signal)
      const { deliverWaiting } = await import('./waiting-mail.ts')
      return await deliverWaiting({ mail: sealed, waiting, signal }, recipients, options)
    },
  }
}
