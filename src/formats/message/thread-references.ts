/** Which messages a message answers, for threading (RFC 5256 §3, step 1 of REFERENCES). */
import { messageIdsIn } from './message-ids.ts'
import type { MessageSummary } from './summary.ts'

/** The oldest first: those of References, or else the first one of In-Reply-To. */
export function threadReferences({ references, envelope }: MessageSummary): readonly string[] {
  const named = validIds(references ?? '')
  return named.length > 0 ? named : validIds(envelope.inReplyTo ?? '').slice(0, 1)
}

/** The message's own; null where there is none. */
export function threadId({ envelope }: MessageSummary): string | null {
  return validIds(envelope.messageId ?? '')[0] ?? null
}

/** In-Reply-To of old programs holds words (RFC 822 §4.6.2): without angle brackets only what has an `@` is an id. */
function validIds(value: string): string[] {
  const ids = messageIdsIn(value)
  return (value.includes('<') ? ids : ids.filter((id) => id.includes('@'))).map(withoutQuotes)
}

/** `"a"@b` and `a@b` are the same (RFC 5256 §3: quoted content is compared unquoted). */
function withoutQuotes(id: string): string {
  return id.includes('"') ? id.replace(/\\(.)/gs, '$1').replaceAll('"', '') : id
}
