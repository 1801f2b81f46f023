/**
 * CPU time and memory of whole servers, read from /proc. A server is a tree of processes; the time of children that have ended and were
 * waited for is in their parent's account, so the sum over the living tree misses nothing and counts nothing twice.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface Stat {
  /** One letter. */
  readonly state: string
  readonly parent: number
  /** Own and waited-for children's, in clock ticks. */
  readonly ticks: number
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** proc(5): the fields after the name, which is in parentheses and may contain anything. */
function statOf(pid: number): Stat | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    const [utime, stime, childrenUtime, childrenStime] = fields.slice(11, 15).map(Number)
    return { state: fields[0]!, parent: Number(fields[1]), ticks: utime! + stime! + childrenUtime! + childrenStime! }
  } catch {
    return null
  }
}

function treeOf(roots: readonly number[]): Map<number, Stat> {
  const all = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? statOf(pid) : null
    if (stat !== null) all.set(pid, stat)
  }
  const tree = new Map<number, Stat>()
  const waiting = [...roots]
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const stat = all.get(pid)
    if (stat === undefined || tree.has(pid)) continue
    tree.set(pid, stat)
    for (const [child, { parent }] of all) if (parent === pid) waiting.push(child)
  }
  return tree
}

/** The processes of these trees, roots first in no particular order. */
export function pidsOf(roots: readonly number[]): number[] {
  return [...treeOf(roots).keys()]
}

/** Whether nothing is left of these processes but what their parents may still ask for. */
export function haveEnded(pids: readonly number[]): boolean {
  return pids.every((pid) => 'ZX'.includes(statOf(pid)?.state ?? 'X'))
}

/** Milliseconds of CPU that these process trees have used since they began. */
export function cpuMs(roots: readonly number[]): number {
  let ticks = 0
  for (const stat of treeOf(roots).values()) ticks += stat.ticks
  return (ticks * 1000) / ticksPerSecond
}

/** Resident memory of these process trees in MB (10^6 octets): with shared pages counted in each process, and shared out. */
export function memoryMB(roots: readonly number[]): { readonly rss: number; readonly pss: number } {
  let [rss, pss] = [0, 0]
  for (const pid of pidsOf(roots)) {
    let rollup: string
    try {
      rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    } catch {
      continue
    }
    rss += kilobytes(rollup, 'Rss')
    pss += kilobytes(rollup, 'Pss')
  }
  return { rss: (rss * 1024) / 1e6, pss: (pss * 1024) / 1e6 }
}

function kilobytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0)
}
