import { existsSync } from 'node:fs'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
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
  let opened: Promise<PickupStore> | null = null
  let expiring = Promise.resolve()
  let isClosed = false
  const store = (): Promise<PickupStore> => {
    if (isClosed) return Promise.reject(new Error('this program is stopping'))
    opened ??= open().catch((error: unknown) => {
      opened = null
      throw error
    })
    return opened
  }
  const expire = async (): Promise<void> => {
    try {
      if (opened || existsSync(path)) await (await store()).expire()
    } catch (error) {
      logger.error({ error: error as Error }, 'mail for pickup could not be looked at')
    }
    if (!isClosed) timer = clock.after(HOUR, look)
  }
  const look = () => {
    expiring = expire()
  }
  let timer = clock.after(HOUR, look)
  return {
    store,
    async [Symbol.asyncDispose]() {
      isClosed = true
      timer[Symbol.dispose]()
      await expiring
      await (await opened?.catch(() => null))?.[Symbol.asyncDispose]()
    },
  }
}
