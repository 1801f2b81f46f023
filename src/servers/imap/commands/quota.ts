/**
 * RFC 9208: one quota root for the whole account, with its storage. Without a limit the root has no resources (§5.1 lets the list be
 * empty): there are clients that cannot go on where a QUOTAROOT comes without a QUOTA.
 */
import type { Command } from '#formats/imap/command.ts'
import { formatQuota, formatQuotaRoot } from '#formats/imap/mailbox-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'

const ROOT = ''
/** RFC 9208 §5.1: storage is counted in units of 1024 octets. */
const UNIT = 1024

/** RFC 9208 §4.1.1. */
export async function getQuota(talk: Conversation, { root }: Command & { kind: 'getQuota' }): Promise<Completion> {
  if (root !== ROOT) throw no('NONEXISTENT', 'There is no such quota root')
  talk.untagged(await quotaOf(talk))
  return done('Told')
}

/** RFC 9208 §4.1.2. */
export async function getQuotaRoot(
  talk: Conversation,
  { mailbox }: Command & { kind: 'getQuotaRoot' },
): Promise<Completion> {
  const name = talk.name((await talk.existing(mailbox)).name)
  talk.untagged(formatQuotaRoot(name, [ROOT]))
  talk.untagged(await quotaOf(talk))
  return done('Told')
}

/** RFC 9208 §4.1.3: only the operator sets limits, so QUOTASET is not offered. */
export async function setQuota(): Promise<never> {
  throw no('NOPERM', 'Only the operator of the server sets limits')
}

async function quotaOf({ mail }: Conversation): Promise<string> {
  const { used, limit } = await mail.quota()
  return formatQuota(ROOT, limit === null ? [] : [['STORAGE', Math.ceil(used / UNIT), Math.floor(limit / UNIT)]])
}
