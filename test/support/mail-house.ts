/** The mail agents over the memory store and a real directory, with a queue that only remembers: for tests of the agents. */
import { createDeliveryAgent } from '#agents/delivery/delivery.ts'
import { createInboundAgent } from '#agents/inbound/mx-agent.ts'
import type { LocalDelivery, Queue, QueuedMail } from '#agents/queue/queue.ts'
import { createSubmissionAgent, type SubmissionOptions } from '#agents/submission/submission-agent.ts'
import type { Account, Directory } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import type { MailStore, NewMessage } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import type { Logger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createPlanner, type Planner } from '#privacy/e2e/plan.ts'
import { createFakeClock } from './fake-clock.ts'
import { createFakeLog } from './fake-log.ts'
import { address } from './fake-mail.ts'
import { temporaryDirectory } from './temporary.ts'

export interface Kept {
  readonly text: string
  readonly flags: readonly string[]
}

export interface FakeQueue extends Pick<Queue, 'enqueue' | 'enqueueAll' | 'reportDelivered'> {
  readonly mails: QueuedMail[]
  readonly reported: { readonly queueId: string; readonly delivered: readonly EnvelopeRecipient[] }[]
  /** Thrown by every enqueue while set. */
  trouble: Error | null
}

export interface MailHouse extends AsyncDisposable {
  readonly directory: Directory
  /** Breaks where `broken` says so. */
  readonly store: MailStore
  /** Thrown by every append to that account. */
  readonly broken: Map<string, Error>
  readonly queue: FakeQueue
  readonly delivery: LocalDelivery
  readonly inbound: ReturnType<typeof createInboundAgent>
  readonly submission: ReturnType<typeof createSubmissionAgent>
  /** Authors that delivery told of. */
  readonly sealedMailFrom: string[]
  readonly clock: ReturnType<typeof createFakeClock>
  readonly log: ReturnType<typeof createFakeLog>
  addAccount(name: string, quota?: number): Promise<Account>
  kept(account: string, mailbox?: string): Promise<Kept[]>
}

function createFakeQueue(): FakeQueue {
  const queue: FakeQueue = {
    mails: [],
    reported: [],
    trouble: null,
    async enqueue(mail) {
      await queue.enqueueAll([mail])
    },
    async enqueueAll(mails) {
      if (queue.trouble) throw queue.trouble
      // Who hands it over wipes it.
      queue.mails.push(...mails.map((mail) => (mail.waiting ? { ...mail, waiting: Buffer.from(mail.waiting) } : mail)))
    },
    async reportDelivered({ queueId }, delivered) {
      queue.reported.push({ queueId, delivered })
    },
  }
  return queue
}

type HouseOptions = Partial<
  Pick<SubmissionOptions, 'savesSentCopy' | 'recipientsPerHour' | 'sealer' | 'pickup' | 'author'>
> & {
  /** Makes the planner of this house; without one nothing is sealed. */
  readonly plannerOf?: (directory: Directory, logger: Logger) => Pick<Planner, 'plan'>
}

const unexpected = async () => {
  throw new Error('nothing is sealed in this house')
}

/** Our domain is alpha.test; accounts `anna` and `bob` exist, their ids are their names. */
export async function openMailHouse({ plannerOf, ...options }: HouseOptions = {}): Promise<MailHouse> {
  const folder = await temporaryDirectory('mail-house')
  const directory = await openDirectory(folder.join('directory.db'))
  await directory.addDomain('alpha.test')
  const memory = createMemoryMailStore()
  const broken = new Map<string, Error>()
  const append = async (account: string, mailbox: string, message: NewMessage) => {
    const trouble = broken.get(account)
    if (trouble) throw trouble
    return await memory.append(account, mailbox, message)
  }
  const store: MailStore = new Proxy(memory, {
    get: (target, name) => {
      if (name === 'append') return append
      const member = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const clock = createFakeClock()
  const log = createFakeLog()
  const queue = createFakeQueue()
  const shared = { directory, store, queue, hostname: 'mx.alpha.test', clock, logger: log, metrics: noMetrics }
  const authors: string[] = []
  const sealedMailFrom = (author: Address) => void authors.push(formatAddress(author))
  const delivery = createDeliveryAgent({ ...shared, sealedMailFrom })
  const planner =
    plannerOf?.(directory, log) ??
    createPlanner({
      directory,
      source: { discoverer: unexpected },
      accepted: null,
      withoutKey: 'plain',
      seals: false,
      proves: false,
      clock,
      logger: log,
    })
  const house: MailHouse = {
    directory,
    store,
    broken,
    queue,
    delivery,
    inbound: createInboundAgent({ ...shared, delivery }),
    submission: createSubmissionAgent({
      ...shared,
      delivery,
      planner: async () => planner,
      sealer: unexpected,
      pickup: unexpected,
      author: { sentInClear: unexpected, keptForPickup: unexpected },
      savesSentCopy: true,
      recipientsPerHour: 100,
      ...options,
    }),
    sealedMailFrom: authors,
    clock,
    log,
    async addAccount(name, quota) {
      const account: Account = {
        id: name,
        address: address(`${name}@alpha.test`),
        state: 'active',
        created: clock.now(),
        quota: quota ?? null,
      }
      const certificate = {
        fingerprint: name,
        certificate: Buffer.from(formatAddress(account.address)),
        since: 0,
        use: 'both' as const,
        custody: 'held' as const,
      }
      await directory.addAccount(account, certificate)
      await memory.create(name)
      if (quota !== undefined) await memory.setQuota(name, quota)
      return account
    },
    async kept(account, mailbox = 'INBOX') {
      await using mail = await memory.open(account, null)
      const { id } = (await mail.mailboxes()).find(({ name }) => name === mailbox)!
      const rows = await mail.list(id)
      return await Promise.all(
        rows.map(async ({ uid, flags }) => ({ text: Buffer.from((await mail.read(id, uid))!).toString(), flags })),
      )
    },
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
  await house.addAccount('anna')
  await house.addAccount('bob')
  return house
}
