import { isIP } from 'node:net'
import { parseDomain } from '#formats/message/address.ts'
import type { SrvRecord } from '#policy/dns/resolver.ts'

export interface Target {
  readonly host: string
  readonly port: number
}

/** More than these are not tried. */
const MOST_TARGETS = 4

/**
 * The hosts in the order to try them (RFC 2782): by priority, and within one by chance in proportion to the weights. Empty: the
 * service is decidedly not offered there, or with names that no host has. `random` is from 0 to 1.
 */
export function orderTargets(records: readonly SrvRecord[], random: () => number): readonly Target[] {
  const usable = records.filter(({ target, port }) => port !== 0 && isHostName(target))
  const priorities = [...new Set(usable.map((one) => one.priority))].sort((a, b) => a - b)
  const ordered = priorities.flatMap((priority) =>
    byWeight(
      usable.filter((one) => one.priority === priority),
      random,
    ),
  )
  return ordered.slice(0, MOST_TARGETS).map(({ target, port }) => ({ host: target, port }))
}

/** A name of digits would be taken for an IP address where it is connected to. */
const isHostName = (target: string) => target !== '' && isIP(target) === 0 && parseDomain(target) === target

function byWeight(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const left = records.toSorted((a, b) => a.weight - b.weight)
  const ordered: SrvRecord[] = []
  while (left.length > 0) {
    const total = left.reduce((all, { weight }) => all + weight, 0)
    const drawn = Math.floor(random() * (total + 1))
    let sum = 0
    const at = left.findIndex(({ weight }) => {
      sum += weight
      return sum >= drawn
    })
    ordered.push(...left.splice(at, 1))
  }
  return ordered
}
