/** The log's lines one after the other, without holding more than one of them. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { LINE_LIMIT } from './audit-line.ts'

export interface LogLine {
  /** From 1. */
  readonly number: number
  /** Where it begins in the file. */
  readonly position: number
  /**
   * With its line feed, where it has one: only the last line may be without. Of a line that is too long to be one of ours, the beginning.
   */
  readonly octets: Buffer
  readonly isWhole: boolean
}

interface Counted {
  readonly entries: number
  readonly octets: number
}

/** What a write that did not come to its end leaves behind: a beginning, or octets that were never filled. JSON has no NUL. */
export function isTorn({ octets, isWhole }: LogLine): boolean {
  return octets.length <= LINE_LIMIT && (!isWhole || octets.includes(0))
}

/** The line that ends at this octet, as far as it can be one of ours. */
export async function lastLine(path: string, end: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const start = Math.max(0, end - LINE_LIMIT)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
  return buffer.subarray(buffer.lastIndexOf(10, bytesRead - 2) + 1, bytesRead)
}

/** Those behind the counted ones; all when nothing is said. Nothing when there is no file. */
export async function* logLines(path: string, counted: Counted = { entries: 0, octets: 0 }): AsyncGenerator<LogLine> {
  let pending: Buffer = Buffer.alloc(0)
  let length = 0
  let position = counted.octets
  let number = counted.entries
  const take = (isWhole: boolean): LogLine => {
    const line = { number: ++number, position, octets: pending, isWhole }
    position += length
    pending = Buffer.alloc(0)
    length = 0
    return line
  }
  const add = (octets: Buffer): void => {
    length += octets.length
    const room = LINE_LIMIT + 1 - pending.length
    if (room > 0) pending = Buffer.concat([pending, octets.subarray(0, room)])
  }
  try {
    for await (const chunk of createReadStream(path, { start: counted.octets }) as AsyncIterable<Buffer>) {
      let from = 0
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        add(chunk.subarray(from, end + 1))
        yield take(true)
        from = end + 1
      }
      add(chunk.subarray(from))
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  if (length > 0) yield take(false)
}
