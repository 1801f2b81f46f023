/** What an owner is told at login about uses of the escrow slot: whoever held the master key could read the mail then. */
import type { UnlockedKeys } from '#custody/keyring/keyring.ts'

const TOLD_FOR_MS = 30 * 86_400_000

/** One sentence for each use of the last 30 days, newest first. */
export function openingNotices({ openings }: Pick<UnlockedKeys, 'openings'>, now: number): readonly string[] {
  return openings
    .filter(({ at }) => at > now - TOLD_FOR_MS)
    .toSorted((a, b) => b.at - a.at)
    .map(({ at, ticket, master }) => {
      const day = new Date(at).toISOString().slice(0, 10)
      return `This account was opened with the escrow master key ${master} on ${day}, ticket: ${ticket}`
    })
}
