/** What a server opens only when it is needed: nothing here loads what it opens. */
import { WhenNeeded } from '#lib/when-needed.ts'
import type { AcceptedCertificates, Discoverer, DiscovererSource } from './discovery.ts'

export function discovererSource(open: () => Promise<Discoverer>): DiscovererSource & AsyncDisposable {
  const discoverer = new WhenNeeded(open)
  return {
    discoverer: () => discoverer.get(),
    [Symbol.asyncDispose]: () => discoverer[Symbol.asyncDispose](),
  }
}

export function acceptedSource(
  open: () => Promise<AcceptedCertificates & AsyncDisposable>,
): AcceptedCertificates & AsyncDisposable {
  const accepted = new WhenNeeded(open)
  return {
    accepted: async (...whose) => await (await accepted.get()).accepted(...whose),
    [Symbol.asyncDispose]: () => accepted[Symbol.asyncDispose](),
  }
}
