/**
 * Unsealing: mail that its sender sealed or signed (PGP/MIME) is opened before anybody with keys has seen it, once. What its
 * readers are to see takes the place of what came, sealed at rest as all mail, and its entry in the index says how it was protected.
 * One content is one transaction: interrupted anywhere, it is as it came or as it is to be, whole.
 *
 * What no key of the account opens stays as it came, is remembered as closed, and is tried again when the account has other keys, and
 * one that it names among them. What readers have seen as it came is put there opened under new uids. In device mode nothing is unsealed:
 * that is for the owner's device. What could not be scanned when it arrived is scanned before it is put in its place.
 *
 * This file is loaded when there is something to unseal.
 */
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sealedKind } from '#formats/message/sealed-kind.ts'
import { BadSummary, decodeSummary } from '#formats/message/summary.ts'
import { encodeProtection, type Protection } from '#formats/pgp-mime/protection.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { IndexRecords } from './index-records.ts'
import type { ContentId, IndexedAccountMail, PageId } from './indexed-mail-store.ts'
import {
  KeysNeeded,
  type MailboxId,
  type MessageRow,
  MessageUnreadable,
  NoCertificate,
  type ReadingKeys,
  type Uid,
} from './mail-store.ts'
import { type OwnKeys, PatientAid } from './sealed-mail-store-aid.ts'
import { decodeClosed, encodeClosed } from './sealed-mail-store-kept.ts'
import { type Layer, type OpenLayer, openLayers, type Received } from './sealed-mail-store-layers.ts'
import { type Opener, type Unopened, unsealContent } from './sealed-mail-store-opener.ts'
import { pageOf } from './sealed-mail-store-pages.ts'
import { recheckSignatures } from './sealed-mail-store-rechecking.ts'
import { type Replacement, replacementOf } from './sealed-mail-store-replacement.ts'
import { Scans } from './sealed-mail-store-scans.ts'
import type { Sealer } from './sealed-mail-store-sealer.ts'
import { type SignedLayer, Verdicts } from './sealed-mail-store-verdicts.ts'
import type { SharedWork } from './sealed-mail-store-work.ts'
import { decodeEntry, encodeEntry } from './summary-entry.ts'

export interface UnsealingMeans {
  readonly account: AccountId
  readonly keys: ReadingKeys
  readonly inner: IndexedAccountMail
  readonly opener: Opener
  readonly records: () => Promise<IndexRecords>
  readonly sealer: () => Promise<Sealer>
  readonly work: SharedWork
  readonly clock: Clock
  readonly logger: Logger
}

/** What is known of one message. The entry is encoded and the caller's to wipe. */
export interface Found {
  readonly uid: Uid
  readonly content: ContentId
  readonly row: MessageRow
  /** Of the index, where its entry is. */
  readonly page: PageId | null
  /** `unwritten`: its sender sealed it, and what its readers are to see cannot be written down now. */
  readonly entry: Bytes | Unopened | 'unwritten'
  /** It is in the index, so its readers may have seen it as this entry says. */
  readonly isKept: boolean
  /** Known to be nothing that needs unsealing. */
  readonly isSettled?: boolean
}

/** `again`: it is another one by now, or gone. */
export type Settled = Found | 'again'

interface Job {
  readonly found: Found
  /** Nobody else is at it. */
  readonly turn: Disposable
  readonly kind: Received['kind']
  readonly sessionKey: Bytes
  readonly summary: Bytes
  /** Octets of the received message. */
  readonly size: number
}

const GROUP = 64
const OCTETS_AT_ONCE = 4 << 20
/** Contents that share the wait for the disk. */
const WRITES_AT_ONCE = 8
/** Of one message. */
const MOST_NAMES = 8

type Unopenable = Exclude<Layer, OpenLayer>

interface Around {
  readonly mailbox: MailboxId
  readonly sealer: Sealer
  readonly own: OwnKeys | null
  /** Tells sets of keys apart; null: it is not known which there are. */
  readonly keySet: string | null
}

export class Unsealer {
  readonly #means: UnsealingMeans
  readonly #aid: PatientAid | null
  readonly #scans: Scans | null
  /** Contents that made our own code fail: they are shown as they came. */
  readonly #failed = new Set<ContentId>()

  constructor(means: UnsealingMeans) {
    this.#means = means
    const { keys, clock, logger, account } = means
    this.#aid = keys.aid ? new PatientAid(keys.aid, clock, logger.with({ account })) : null
    this.#scans = this.#aid && keys.aid?.scans !== false ? new Scans(this.#aid, means) : null
  }

  /** In the order given. An entry that is not handed back has been wiped. */
  async settle(mailbox: MailboxId, candidates: readonly Found[]): Promise<readonly Settled[]> {
    const sealer = await this.#sealer()
    if (!sealer || sealer.wrapsForDevice) return candidates
    const own = (await this.#aid?.own()) ?? null
    const keySet = own && nameOf(own, (await this.#means.records()).generations)
    const { jobs, others } = this.#take(candidates, own, keySet)
    const settled = new Map<Found, Settled>()
    try {
      for (const group of groupsOf(jobs))
        for (const [found, after] of await this.#unseal(group, { mailbox, sealer, own, keySet }))
          settled.set(found, after)
    } finally {
      for (const { turn } of jobs) turn[Symbol.dispose]()
    }
    // Not before: two that wait for each other would wait for ever.
    for (const [found, done] of others) {
      await done
      settled.set(found, 'again')
    }
    return candidates.map((found) => {
      const after = settled.get(found) ?? found
      if (typeof found.entry !== 'string' && (after === 'again' || after.entry !== found.entry)) wipe(found.entry)
      return after
    })
  }

  async #sealer(): Promise<Sealer | null> {
    try {
      return await this.#means.sealer()
    } catch (error) {
      if (error instanceof NoCertificate) return null
      throw error
    }
  }

  /** What is to be done here, and what is being done elsewhere. */
  #take(candidates: readonly Found[], own: OwnKeys | null, keySet: string | null) {
    const { work, account } = this.#means
    const jobs: Job[] = []
    const others: (readonly [Found, Promise<void>])[] = []
    for (const found of candidates) {
      const due = this.#failed.has(found.content) ? null : dueOf(found, own, keySet)
      if (!due) continue
      const turn = work.startUnsealing(account, found.content)
      if (turn instanceof Promise) others.push([found, turn])
      else jobs.push({ ...due, turn })
    }
    return { jobs, others }
  }

  async #unseal(jobs: readonly Job[], around: Around): Promise<ReadonlyMap<Found, Settled>> {
    const { settled, made } = await this.#open(jobs, around)
    for (let i = 0; i < made.length; i += WRITES_AT_ONCE) {
      const batch = made.slice(i, i + WRITES_AT_ONCE)
      const committed = await Promise.all(batch.map(([job, replacement]) => this.#commit(job, replacement, around)))
      for (const [found, after] of committed) settled.set(found, after)
    }
    return settled
  }

  /** What came, and all that was made of it on the way, is free to go when this is done. */
  async #open(jobs: readonly Job[], around: Around) {
    const settled = new Map<Found, Settled>()
    const read: { readonly job: Job; readonly received: Received }[] = []
    for (const job of jobs) {
      const octets = await this.#read(job)
      if (octets === 'gone') settled.set(job.found, 'again')
      // Who reads an unreadable one is told so.
      else if (octets !== 'unreadable') read.push({ job, received: { kind: job.kind, octets } })
      await nextTurn()
    }
    const received = read.map((one) => one.received)
    const layers = await openLayers(received, this.#means.opener, around.own)
    const verdicts = await Verdicts.about(this.#aid, around.own, layers.flatMap(signedLayerOf))
    const made: (readonly [Job, Replacement])[] = []
    for (const [index, { job, received: from }] of read.entries()) {
      const layer = layers[index]!
      const result =
        layer.kind === 'open' ? await this.#replacement(from.octets, layer, verdicts, around.sealer) : layer
      if (result.kind === 'replacement') made.push([job, result])
      else settled.set(job.found, this.#described(job, result, around.keySet))
      wipe(from.octets)
      if (layer.kind === 'open' && layer.payload) for (const octets of [layer.payload, layer.read!.octets]) wipe(octets)
      await nextTurn()
    }
    return { settled, made }
  }

  async #read({ found, sessionKey }: Job): Promise<Bytes | 'gone' | 'unreadable'> {
    try {
      const sealed = await this.#means.inner.contents.read(found.content)
      return sealed ? unsealContent(sealed, sessionKey) : 'gone'
    } catch (error) {
      if (error instanceof MessageUnreadable) return 'unreadable'
      throw error
    }
  }

  /** Others get their turn between the steps, each of which takes its time with a large message. */
  async #replacement(
    received: Bytes,
    layer: OpenLayer,
    verdicts: Verdicts,
    sealer: Sealer,
  ): Promise<Replacement | Unopenable> {
    try {
      const signature = verdicts.judge(signedLayerOf(layer)[0]!)
      await nextTurn()
      const authservId = this.#aid?.authservId ?? null
      return replacementOf(received, layer, { signature, authservId, at: this.#now() }, sealer)
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  #now(): number {
    return this.#aid ? this.#aid.now() : this.#means.clock.now()
  }

  /** It stays as it came; what is known of it goes into its entry. */
  #described({ found, sessionKey, summary }: Job, layer: Unopenable, keySet: string | null): Found {
    if (layer.kind === 'failed') {
      this.#failed.add(found.content)
      const { account, logger } = this.#means
      logger.error({ account, content: found.content, error: layer.error as Error }, 'a message could not be unsealed')
      return found
    }
    const encryption = layer.kind === 'unprotected' ? 'none' : layer.kind
    const protection: Protection = { encryption, signature: { kind: 'none' }, author: null, at: this.#now() }
    const kept = layer.kind === 'closed' ? encodeClosed({ recipients: layer.recipients, tried: keySet ?? '' }) : null
    const entry = encodeEntry({ sessionKey, summary, protection: encodeProtection(protection), kept })
    return { ...found, entry, isKept: false }
  }

  async #commit(job: Job, { view, ...made }: Replacement, { mailbox, sealer }: Around): Promise<[Found, Settled]> {
    const { found } = job
    const { records, inner, account, logger } = this.#means
    try {
      // Before anybody sees it, and before it is known as opened: interrupted in between, it is opened where it is then.
      if (made.wasEncrypted) await this.#scans?.look(mailbox, found.uid, view)
      const recordsNow = await records()
      await inner.contents.replace(found.content, {
        octets: made.octets,
        sealedTo: sealer.certificate,
        page: (id, content) => pageOf(recordsNow, id, { content, entry: made.entry }),
        unsealing: made.unsealing,
        renumbers: found.isKept,
        ...(made.wasEncrypted ? { cameSealed: this.#namesOf(made.messageIds, recordsNow) } : {}),
      })
      return [found, 'again']
    } catch (error) {
      // A session that has ended needs it no more.
      if (!(error instanceof KeysNeeded))
        logger.warn(
          { account, content: found.content, error: error as Error },
          'could not keep a message that was unsealed',
        )
      // What its readers have seen already, they see once more.
      return [found, found.isKept ? found : { ...found, entry: 'unwritten' }]
    } finally {
      wipe(made.entry)
      // Its memory may be with a scanner.
      if (view.byteLength > 0) wipe(view)
    }
  }

  #namesOf(messageIds: readonly string[], records: IndexRecords) {
    const names = messageIds.slice(0, MOST_NAMES).map((id) => records.messageName(id))
    return { names, at: this.#means.clock.now() }
  }

  /** The entry of one whose record was lost after it had been unsealed. */
  remade(entry: Bytes): Buffer {
    const { sessionKey, summary } = decodeEntry(entry)!
    const signature = { kind: 'unknown', why: 'what was found out about it is lost' } as const
    const encryption = kindOf(summary) === 'signed' ? 'none' : 'opened'
    const protection = encodeProtection({ encryption, signature, author: null, at: this.#now() })
    return encodeEntry({ sessionKey, summary, protection })
  }

  /** The session ends. */
  close(): void {
    this.#aid?.close()
  }

  /** Looks again at signatures that could not be checked. Stops early when `isOver` says so. */
  async recheck(isOver: () => boolean): Promise<void> {
    const own = await this.#aid?.own()
    if (this.#aid && own) await recheckSignatures({ ...this.#means, aid: this.#aid, own }, isOver)
  }
}

function signedLayerOf(layer: Layer): readonly SignedLayer[] {
  if (layer.kind !== 'open') return []
  const { signed, signatures, authors, payload } = layer
  return [{ signed, signatures, author: authors.author, encrypted: payload !== null }]
}

/** null: there is nothing to be done, or nothing more than was done. */
function dueOf(found: Found, own: OwnKeys | null, keySet: string | null): Omit<Job, 'turn'> | null {
  const decoded = typeof found.entry === 'string' ? null : decodeEntry(found.entry)
  if (!decoded || (decoded.protection && !mayOpenNow(decoded.kept, own, keySet))) return null
  const kind = kindOf(decoded.summary)
  return kind && { found, kind, ...decoded, size: decodeSummary(decoded.summary).size }
}

function kindOf(summary: Bytes): Received['kind'] | null {
  try {
    return sealedKind(decodeSummary(summary).root)
  } catch (error) {
    if (error instanceof BadSummary) return null
    throw error
  }
}

function mayOpenNow(kept: Bytes | null, own: OwnKeys | null, keySet: string | null): boolean {
  const closed = kept && decodeClosed(kept)
  if (!closed || !own || closed.tried === keySet) return false
  return closed.recipients.some((recipient) => recipient === null || own.keys.includes(recipient))
}

/** After a relink the account has no other certificates, but the secrets of more of them. */
function nameOf({ keys }: OwnKeys, generations: number): string {
  return createHash('sha256')
    .update([generations, ...[...keys].sort()].join())
    .digest('base64')
    .slice(0, 16)
}

/** Few enough to be held in memory together; always at least one. */
function groupsOf(jobs: readonly Job[]): readonly (readonly Job[])[] {
  const groups: Job[][] = []
  let octets = Number.POSITIVE_INFINITY
  for (const job of jobs) {
    octets += job.size
    if (octets > OCTETS_AT_ONCE || groups.at(-1)!.length === GROUP) {
      groups.push([])
      octets = job.size
    }
    groups.at(-1)!.push(job)
  }
  return groups
}
