import { existsSync } from 'node:fs'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { WhenNeeded } from '#lib/when-needed.ts'
import type { PickupStore } from './pickup.ts'

const HOUR = 3_600_000

/** The one pickup store of a running server. Disposing closes it, for good. */
export interface PickupSource extends AsyncDisposable {
  store(): Promise<PickupStore>
}

interface SourceOptions {
  /** The store's file. */
  readonly path: string
  readonly open: () => Promise<PickupStore>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * `open` runs when the store is needed first: for mail that is kept, or, within the hour, because there is a file in which something
 * may be too old. Who never keeps anything pays for one look at the disk an hour.
 */
export function pickupSource({ path, open, clock, logger }: SourceOptions): PickupSource {
  const store = new WhenNeeded(open)
  const expire = async (): Promise<void> => {
    try {
      if (existsSync(path)) await (await store.get()).expire()
    } catch (error) {
      logger.error({ error: error as Error }, 'mail for pickup could not be looked at')
    }
    if (!isClosed) timer = clock.after(HOUR, look)
  }
  const look = () => {
    expiring = expire()
  }
  let expiring = Promise.resolve()
  let isClosed = false
  let timer = clock.after(HOUR, look)
  return {
    store: () => store.get(),
    async [Symbol.asyncDispose]() {
      isClosed = true
      timer[Symbol.dispose]()
      await expiring
      await store[Symbol.asyncDispose]()
    },
  }
}
