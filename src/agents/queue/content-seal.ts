/**
 * Seals the content of a waiting message, and what it waits with, under a key of its own, that key under the queue key; all
 * bound to the queue id, so that rows cannot be exchanged.
 */
import { randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { openOctets, sealOctets } from '#lib/sealed-octets.ts'
import type { QueuedMail } from './queue.ts'

export interface SealedContent {
  /** The message's key, sealed. */
  readonly key: Bytes
  readonly content: Bytes
  readonly waiting: Bytes | null
}

/** The row was changed on the disk, or belongs to another queue key. */
export class ContentDamaged extends Error {
  override readonly name = 'ContentDamaged'
}

const KEY = 32

const keyOf = (queueId: string) => `queue key ${queueId}`
const contentOf = (queueId: string) => `queue content ${queueId}`
const waitingOf = (queueId: string) => `queue waiting ${queueId}`

/** What is handed back to delivery agents; `waiting` is the caller's to wipe. */
export interface OpenContent {
  readonly content: Buffer
  readonly waiting?: Buffer
}

/** `queueKey` has 32 octets. */
export function sealContent(queueKey: Bytes, mail: Pick<QueuedMail, 'queueId' | 'content' | 'waiting'>): SealedContent {
  const { queueId, content, waiting } = mail
  const key = randomBytes(KEY)
  try {
    return {
      key: sealOctets(queueKey, keyOf(queueId), key),
      content: sealOctets(key, contentOf(queueId), content),
      waiting: waiting ? sealOctets(key, waitingOf(queueId), waiting) : null,
    }
  } finally {
    wipe(key)
  }
}

/** The inverse of sealContent. Throws ContentDamaged. */
export function unsealContent(queueKey: Bytes, queueId: string, sealed: SealedContent): OpenContent {
  const key = open(queueKey, keyOf(queueId), sealed.key)
  try {
    const content = open(key, contentOf(queueId), sealed.content)
    return sealed.waiting ? { content, waiting: open(key, waitingOf(queueId), sealed.waiting) } : { content }
  } finally {
    wipe(key)
  }
}

function open(key: Bytes, purpose: string, sealed: Bytes): Buffer {
  const clear = openOctets(key, purpose, sealed)
  if (!clear) throw new ContentDamaged('queue content does not open with this queue key')
  return clear
}
