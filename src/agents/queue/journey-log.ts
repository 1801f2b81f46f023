import type { Reply } from '#formats/smtp/reply.ts'
import type { Fields, Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { QueueId } from './queue.ts'
import type { Settlement } from './settlement.ts'

/** One line per recipient and outcome, so that the queue id finds the whole journey. */
export function logSettlement(logger: Logger, metrics: Metrics, queueId: QueueId, settled: Settlement): void {
  const { recipient, nextTry, reply, remote, expired, outcome } = settled
  const tries = recipient.tries + 1
  const fields: Fields = { queueId, to: recipient.address, remote, ...replyFields(reply), tries }
  metrics.count('queue_outcomes', { outcome: nextTry === null && outcome === 'deferred' ? 'expired' : outcome })
  if (outcome === 'delivered') logger.info(fields, 'delivered')
  else if (nextTry !== null) logger.info({ ...fields, nextTry: new Date(nextTry).toISOString() }, 'deferred')
  else logger.warn({ ...fields, expired }, 'failed')
}

/** A reply for the log. Servers repeat addresses in what they say; local-parts are left out, as everywhere in the log. */
function replyFields(reply: Reply | null): Fields {
  if (!reply) return {}
  const text = reply.lines.join(' ').slice(0, 400)
  return { code: reply.code, status: reply.enhanced, said: text.split(' ').map(withoutLocal).join(' ') }
}

function withoutLocal(word: string): string {
  const at = word.lastIndexOf('@')
  return at < 0 ? word : `*${word.slice(at)}`
}
