import type { Discoverer, DiscovererSource } from './discovery.ts'

/** `open` runs when the discoverer is needed first, and again when it failed. Disposing closes what was opened, for good. */
export function discovererSource(open: () => Promise<Discoverer>): DiscovererSource & AsyncDisposable {
  let opened: Promise<Discoverer> | null = null
  let isClosed = false
  return {
    discoverer() {
      if (isClosed) return Promise.reject(new Error('this program is stopping'))
      opened ??= open().catch((error: unknown) => {
        opened = null
        throw error
      })
      return opened
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      const discoverer = await opened?.catch(() => null)
      await discoverer?.[Symbol.asyncDispose]()
    },
  }
}
