/** A discoverer that answers what a test says, and remembers what it was asked. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import type { Discoverer, Discovery, Evidence } from '#privacy/discovery/discovery.ts'

export interface FakeDiscoverer extends Pick<Discoverer, 'discover'> {
  /** In the order in which they were asked for. */
  readonly asked: string[]
}

export const NONE: Discovery = { kind: 'none', steps: [] }
export const UNUSABLE: Discovery = { kind: 'unusable', why: 'it is revoked', steps: [] }
export const TEMPORARY: Discovery = { kind: 'temporary', why: 'no resolver answers', steps: [] }

export function found(certificate: Uint8Array, fingerprint: string, evidence: Evidence = 'secure-srv'): Discovery {
  return { kind: 'found', certificate, fingerprint, evidence, steps: [], at: 0, until: 1 }
}

/** `answer`: by address; `none` for those it says nothing of. */
export function fakeDiscoverer(
  answer: (address: string) => Discovery | Promise<Discovery> | undefined,
): FakeDiscoverer {
  const asked: string[] = []
  return {
    asked,
    async discover(address: Address) {
      const name = formatAddress(address)
      asked.push(name)
      return (await answer(name)) ?? NONE
    },
  }
}

/** As those who only look for certificates to seal to are given it. */
export const sourceOf = (discoverer: FakeDiscoverer) => ({
  discoverer: async () => discoverer as unknown as Discoverer,
})
