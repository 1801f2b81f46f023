/**
 * What all sessions that look at one mailbox share: its uids, its keywords, and what happened lately. The store is asked once for
 * each change, however many sessions wait for it, and for a mailbox that was seen before only what changed since. Nothing here is
 * secret: no subject, no address, no content.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type {
  AccountMail,
  MailboxChanges,
  MailboxId,
  MailboxOverview,
  MailChanges,
  MessageRow,
} from '#custody/store/mail-store.ts'
import { UidRuns } from './uid-runs.ts'

/** Rows of changes kept for sessions that have not asked yet; who is further behind asks the store itself. */
const KEPT_ROWS = 512
/** Images of mailboxes that nobody has selected, the longest unused is forgotten first. */
const KEPT_IMAGES = 512
const KEPT_OCTETS = 16 * 1024 * 1024

/** What happened, as sessions are told. */
export interface Told {
  readonly changed: readonly MessageRow[]
  readonly vanished: UidRuns
  readonly highestModseq: number
}

/** What happened after one MODSEQ and up to another. */
interface News {
  readonly after: number
  readonly until: number
  readonly changes: MailboxChanges
}

/** The uids of a mailbox at a MODSEQ. */
export interface Picture {
  readonly uidValidity: number
  readonly runs: UidRuns
  readonly modseq: number
  readonly uidNext: number
}

const NONE = new Uint32Array()

const UNSEEN: Picture = { uidValidity: 0, runs: UidRuns.EMPTY, modseq: 0, uidNext: 1 }

/** More than a mailbox has in use at a time: without a bound, a client that takes ever new ones would have all of them told each time. */
const MOST_KEYWORDS = 2_000

/** A session that has the mailbox selected. */
export interface Onlooker {
  /** It has taken all news up to here. */
  readonly modseq: number
  /** Called for every change that somebody made. */
  hear(): void
}

export class MailboxImage {
  readonly mailbox: MailboxId
  readonly onlookers = new Set<Onlooker>()
  /** By lower-case name, as first spelled; in the order in which they were met. Those met first go when there are too many. */
  readonly keywords = new Map<string, string>()
  /** How often a keyword was met that is not among them. */
  keywordsMet = 0
  #picture = UNSEEN
  /** Ascending; together they cover all that happened since the first of them began. */
  #news: News[] = []
  /** How often the store said that something changed, and how many of these had been said when it was last asked. */
  #said = 0
  #asked = 0
  #asking: Promise<void> | null = null
  #subscription: Disposable | null = null

  constructor(mailbox: MailboxId) {
    this.mailbox = mailbox
  }

  get picture(): Picture {
    return this.#picture
  }

  /** Something changed that the store has not been asked about. */
  get stale(): boolean {
    return this.#asked < this.#said
  }

  watch(account: AccountId, changes: MailChanges): void {
    this.#subscription = changes.subscribe(account, (mailbox) => {
      if (mailbox !== this.mailbox) return
      this.#said++
      for (const onlooker of this.onlookers) onlooker.hear()
    })
  }

  unwatch(): void {
    this.#subscription?.[Symbol.dispose]()
    this.#subscription = null
    // What happens from now on is not heard of.
    this.#news = []
  }

  /** The mailbox as it is now, and what its row in the store says. Throws NoSuchMailbox. */
  async open(mail: AccountMail): Promise<{ readonly picture: Picture; readonly overview: MailboxOverview }> {
    const before = this.#picture
    const known = before.modseq > 0
    const first = await mail.overview(this.mailbox, known ? before.modseq : undefined)
    const drawn = draw(before, first)
    // What was known may be of another account of that name, or of before a backup was restored.
    const { uidValidity, messages } = first.status
    const fits = first.present !== null || (before.uidValidity === uidValidity && drawn.runs.length === messages)
    const overview = fits ? first : await mail.overview(this.mailbox)
    const picture = fits ? drawn : draw(UNSEEN, overview)
    this.#learn(picture, overview.keywords)
    return { picture: picture.modseq === this.#picture.modseq ? this.#picture : picture, overview }
  }

  #learn(picture: Picture, keywords: readonly string[]): void {
    // Who looks at it is told of what lies between; it is asked for when they ask.
    if (this.onlookers.size === 0) {
      this.#picture = picture
      this.#news = []
      this.keywords.clear()
    }
    for (const name of keywords) this.learnKeyword(name)
  }

  learnKeyword(name: string): void {
    const folded = name.toLowerCase()
    if (this.keywords.has(folded)) return
    this.keywords.set(folded, name)
    this.keywordsMet++
    if (this.keywords.size > MOST_KEYWORDS) this.keywords.delete(this.keywords.keys().next().value!)
  }

  /**
   * What happened since `modseq`, and maybe some of what happened before. `asked`: the store is asked even when it said nothing.
   * Throws NoSuchMailbox.
   */
  async newsSince(mail: AccountMail, modseq: number, asked: boolean): Promise<Told> {
    if (asked) this.#said++
    const wanted = this.#said
    while (this.#asked < wanted) {
      this.#asking ??= this.#ask(mail).finally(() => {
        this.#asking = null
      })
      await this.#asking
    }
    const highestModseq = this.#picture.modseq
    if (modseq >= highestModseq) return { changed: [], vanished: UidRuns.EMPTY, highestModseq: modseq }
    if (this.#news.length === 0 || this.#news[0]!.after > modseq) {
      const changes = await mail.changesSince(this.mailbox, modseq)
      return { ...changes, vanished: new UidRuns(changes.vanished) }
    }
    const news = this.#news.filter(({ until }) => until > modseq)
    return {
      changed: news.flatMap(({ changes }) => changes.changed),
      vanished: UidRuns.union(news.map(({ changes }) => changes.vanished)),
      highestModseq,
    }
  }

  async #ask(mail: AccountMail): Promise<void> {
    const wanted = this.#said
    const { modseq } = this.#picture
    try {
      const changes = await mail.changesSince(this.mailbox, modseq)
      this.#add({ after: modseq, until: changes.highestModseq, changes })
    } finally {
      // After a failure too: who waits must not ask without end. The next question covers what was missed.
      this.#asked = Math.max(this.#asked, wanted)
    }
  }

  /** A session changed these flags itself, with nothing else happening between the two MODSEQs. */
  changed(rows: readonly MessageRow[], after: number, until: number): void {
    if (this.#picture.modseq === after)
      this.#add({ after, until, changes: { changed: rows, vanished: NONE, highestModseq: until } })
  }

  /** Lets go of news that everybody has taken. */
  forget(): void {
    if (this.#news.length === 0) return
    let lowest = Number.POSITIVE_INFINITY
    for (const { modseq } of this.onlookers) lowest = Math.min(lowest, modseq)
    this.#news = this.#news.filter(({ until }) => until > lowest)
  }

  #add(news: News): void {
    const { until, changes } = news
    if (until <= this.#picture.modseq) return
    this.#picture = advance(this.#picture, changes)
    this.#news.push(news)
    let rows = 0
    for (const one of this.#news) rows += sizeOf(one)
    while (rows > KEPT_ROWS) {
      rows -= sizeOf(this.#news.shift()!)
    }
  }
}

/** Rows, and runs of uids. */
function sizeOf({ changes: { changed, vanished } }: News): number {
  return changed.length + vanished.length / 2
}

/** A later picture from an overview. */
function draw({ runs, uidNext }: Picture, { status, present, vanished }: MailboxOverview): Picture {
  const later = { uidValidity: status.uidValidity, modseq: status.highestModseq, uidNext: status.uidNext }
  if (present) return { runs: new UidRuns(present), ...later }
  const given = status.uidNext > uidNext ? UidRuns.of([{ first: uidNext, last: status.uidNext - 1 }]) : UidRuns.EMPTY
  return { runs: runs.plus(given).minus(new UidRuns(vanished!)), ...later }
}

function advance(
  { uidValidity, runs, uidNext }: Picture,
  { changed, vanished, highestModseq }: MailboxChanges,
): Picture {
  const given = changed.filter(({ uid }) => uid >= uidNext).map(({ uid }) => uid)
  const next = Math.max(uidNext, (changed.at(-1)?.uid ?? 0) + 1, (vanished.at(-1) ?? 0) + 1)
  const left = runs.minus(new UidRuns(vanished))
  return { uidValidity, runs: left.plus(UidRuns.ofUids(given)), modseq: highestModseq, uidNext: next }
}

/** The images of all mailboxes that are selected now or were not long ago. */
export class MailboxImages {
  readonly #used = new Map<string, { readonly image: MailboxImage; sessions: number }>()
  /** Least recently used first. */
  readonly #resting = new Map<string, MailboxImage>()
  #octets = 0

  /** From now on until it is disposed of, the image hears what happens. */
  acquire(account: AccountId, mailbox: MailboxId, changes: MailChanges): Disposable & { readonly image: MailboxImage } {
    const key = `${account}/${mailbox}`
    let use = this.#used.get(key)
    if (!use) {
      use = { image: this.#wake(key) ?? new MailboxImage(mailbox), sessions: 0 }
      use.image.watch(account, changes)
      this.#used.set(key, use)
    }
    use.sessions++
    const { image } = use
    return {
      image,
      [Symbol.dispose]: () => {
        if (--use.sessions > 0) return
        this.#used.delete(key)
        image.unwatch()
        this.#rest(key, image)
      },
    }
  }

  #wake(key: string): MailboxImage | undefined {
    const image = this.#resting.get(key)
    if (!image) return undefined
    this.#resting.delete(key)
    this.#octets -= image.picture.runs.octets
    return image
  }

  #rest(key: string, image: MailboxImage): void {
    this.#resting.set(key, image)
    this.#octets += image.picture.runs.octets
    while (this.#resting.size > KEPT_IMAGES || this.#octets > KEPT_OCTETS)
      this.#wake(this.#resting.keys().next().value!)
  }
}
