import { once } from '#lib/once.ts'
import type { Discoverer, DiscovererSource } from './discovery.ts'

/** `open` runs when the discoverer is needed first. Disposing closes what was opened, for good. */
export function discovererSource(open: () => Promise<Discoverer>): DiscovererSource & AsyncDisposable {
  let opening: Promise<Discoverer> | null = null
  let isClosed = false
  const opened = once(() => {
    opening = open()
    return opening
  })
  return {
    discoverer: () => (isClosed ? Promise.reject(new Error('this program is stopping')) : opened()),
    async [Symbol.asyncDispose]() {
      isClosed = true
      const discoverer = await opening?.catch(() => null)
      await discoverer?.[Symbol.asyncDispose]()
    },
  }
}
