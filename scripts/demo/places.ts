/** What can be read where: octets of a wire, of a client, of all files of a server are searched for what a message says. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tabulate } from '#cli/output.ts'
import { formsOf } from '../../test/support/canary.ts'

/** What is looked for: what a message says, and who wrote to whom. */
export const ASPECTS = ['subject', 'body', 'sender', 'recipient'] as const
export type Aspect = (typeof ASPECTS)[number]
export type Wanted = Readonly<Record<Aspect, string>>

/** What must be the case for the promise to be kept: the message is read here, or it must not be. */
export type Expected = 'readable' | 'closed'

export interface Place {
  readonly name: string
  readonly expected: Expected
  readonly seen: Readonly<Record<Aspect, boolean>>
  readonly octets: number
  readonly files: number
}

/** Each aspect in clear, hexadecimal, base64 at any offset, or UTF-16; addresses also as columns of a database. */
export function searchOctets(name: string, expected: Expected, wanted: Wanted, pieces: readonly Buffer[]): Place {
  const isThere = (aspect: Aspect) =>
    formsOf(aspect, wanted[aspect]).some(({ octets }) => pieces.some((piece) => piece.includes(octets))) ||
    (wanted[aspect].includes('@') && pieces.some((piece) => hasColumns(piece, wanted[aspect])))
  const seen = Object.fromEntries(ASPECTS.map((aspect) => [aspect, isThere(aspect)])) as Place['seen']
  const octets = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return { name, expected, seen, octets, files: 0 }
}

/** Whether local-part and domain stand close together. */
function hasColumns(piece: Buffer, address: string): boolean {
  const [local, domain] = address.split('@') as [string, string]
  for (let at = piece.indexOf(domain); at !== -1; at = piece.indexOf(domain, at + 1)) {
    if (piece.subarray(Math.max(0, at - 16), at + domain.length + 16).includes(local)) return true
  }
  return false
}

/** All files below, their names included. */
export async function searchFiles(name: string, wanted: Wanted, directory: string): Promise<Place> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  // A file may go while the server runs; one that is gone shows nothing.
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))))
  const place = searchOctets(name, 'closed', wanted, [...contents, Buffer.from(files.join('\n'))])
  return { ...place, files: files.length }
}

export function isKept({ expected, seen }: Place): boolean {
  return expected === 'readable' ? seen.subject && seen.body : !seen.subject && !seen.body
}

export function tableOf(places: readonly Place[]): string {
  const rows = places.map((place) => [
    isKept(place) ? '' : '!',
    place.name,
    ...ASPECTS.map((aspect) => (place.seen[aspect] ? 'seen' : '-')),
    place.files > 0 ? `${place.files} files, ${Math.ceil(place.octets / 1000)} kB` : `${place.octets} octets`,
  ])
  return tabulate(['', 'looked at', ...ASPECTS, 'searched'], rows)
}
