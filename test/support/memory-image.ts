/**
 * The memory of a running process as a core dump would hold it: every region that it can read, but for the pages of files that
 * nobody wrote to. Processes of other users want root.
 */
import { open, readFile } from 'node:fs/promises'

const PIECE = 8 * 1024 * 1024
/** proc_pid_maps(5) */
const REGION = /^([0-9a-f]+)-([0-9a-f]+) r(.).. \S+ \S+ (\d+) *(.*)$/

interface Region {
  readonly start: number
  readonly end: number
  readonly name: string
}

async function regionsOf(pid: number): Promise<Region[]> {
  const regions: Region[] = []
  for (const line of (await readFile(`/proc/${pid}/maps`, 'latin1')).split('\n')) {
    const [, start, end, isWritable, inode, name] = REGION.exec(line) ?? []
    if (start === undefined || (isWritable !== 'w' && inode !== '0') || name!.startsWith('[v')) continue
    regions.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end!, 16), name: name || 'a heap' })
  }
  return regions
}

/** What is looked for, by a name that may be printed, in all the forms that it may have. */
export type Needles = ReadonlyMap<string, readonly Buffer[]>

/** The names of what is there, each once, with the kind of memory where it was first seen. */
export async function searchMemory(pid: number, needles: Needles): Promise<string[]> {
  const found = new Map<string, string>()
  const overlap = Math.max(...[...needles.values()].flat().map((needle) => needle.length))
  await using memory = await open(`/proc/${pid}/mem`, 'r')
  const octets = Buffer.allocUnsafeSlow(overlap + PIECE)
  for (const { start, end, name: place } of await regionsOf(pid)) {
    // The end of the piece before: something may lie across.
    let kept = 0
    for (let at = start; at < end; at += PIECE) {
      // A region may be gone meanwhile.
      const reading = memory.read(octets, kept, Math.min(PIECE, end - at), at).catch(() => null)
      const { bytesRead = 0 } = (await reading) ?? {}
      if (bytesRead === 0) break
      const piece = octets.subarray(0, kept + bytesRead)
      for (const [name, forms] of needles) {
        if (!found.has(name) && forms.some((form) => piece.includes(form))) found.set(name, place)
      }
      kept = Math.min(overlap, piece.length)
      octets.copyWithin(0, piece.length - kept, piece.length)
    }
  }
  return [...found].map(([name, place]) => `${name}: in ${place}`)
}
