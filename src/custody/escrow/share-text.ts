/**
 * A share on paper: what it is, what to do with it, and the share itself in characters that can be typed again. The checksum finds
 * a typing error before anything is combined.
 */
import { hash } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { blockSize, decodeCrockford, encodeCrockford } from '#lib/crockford.ts'
import { SET_OCTETS, SHARE_OCTETS, SHARES_MAX, type Share, SharesRefused, setName } from './shares.ts'

const VERSION = 1
const HEAD_OCTETS = 4
const CHECK_OCTETS = 8
const BLOCK_OCTETS = HEAD_OCTETS + SET_OCTETS + SHARE_OCTETS + CHECK_OCTETS
const CHARACTERS = 95
const GROUP = 5
export const SHARE_TEXT_MAX = 16 * 1024

const checkOf = (octets: Bytes) =>
  hash('sha256', Buffer.concat([Buffer.from('letterlock escrow share|'), octets]), 'buffer').subarray(0, CHECK_OCTETS)

/** A group and its hyphen, so many in a line. */
const LINE_CHARACTERS = (GROUP + 1) * 5

function code({ number, shares, threshold, set, octets }: Share): Buffer {
  const content = Buffer.concat([Buffer.of(VERSION, threshold, shares, number), set, octets])
  const block = Buffer.concat([content, checkOf(content), Buffer.alloc(blockSize(CHARACTERS) - BLOCK_OCTETS)])
  const typed = encodeCrockford(block, CHARACTERS, GROUP)
  const lines: Buffer[] = []
  for (let at = 0; at < typed.length; at += LINE_CHARACTERS) {
    lines.push(Buffer.from('    '), typed.subarray(at, at + LINE_CHARACTERS - 1), Buffer.from('\n'))
  }
  const text = Buffer.concat(lines)
  for (const used of [content, block, typed]) wipe(used)
  return text
}

export interface ShareFacts {
  /** Of the master key. */
  readonly fingerprint: string
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly made: number
}

/** The whole text of a share, to be printed and given to one person. Wiped by the caller. */
export function writeShare(share: Share, facts: ShareFacts): Buffer {
  const typed = code(share)
  const text = Buffer.concat([Buffer.from(before(share, facts)), typed, Buffer.from(after(share))])
  wipe(typed)
  return text
}

function before(share: Share, { fingerprint, name, made }: ShareFacts): string {
  const { number, shares, threshold } = share
  return `LETTERLOCK ESCROW: share ${number} of ${shares}

Any ${threshold} of the ${shares} shares open the master key; fewer tell nothing about it.

Master key:  ${name}
Fingerprint: ${fingerprint}
Set:         ${setName(share)}
Made:        ${new Date(made).toISOString().slice(0, 10)}

`
}

function after({ threshold }: Share): string {
  return `
WHAT THIS IS
The mail of people who agreed to it can be opened with the master key when they
have lost their password, or when the law demands it. No single person can do
that. You hold one part of what unlocks the master key.

WHAT TO DO
- Print this page and delete the file, or keep the file on a medium of its own
  that is connected to nothing. Tell nobody the characters above.
- Keep it where you find it again in years, and where others do not look.
- You are asked for it on a machine that is not the mail server, together with
  at least ${threshold - 1} other ${threshold === 2 ? 'person' : 'persons'}. You are shown whose mail is to be opened, and why. Say no
  when that is not right.
- When you lose it, or somebody else has seen it, say so at once. With fewer than
  ${threshold} shares left the master key is lost.
`
}

/** A line with nothing but groups of five, at least four of them: no sentence above has that. */
function isCode(line: string): boolean {
  const groups = line.trim().split(/[\s-]+/)
  return groups.length >= 4 && groups.every((group) => /^[0-9A-Za-z]{5}$/.test(group))
}

/** Reads the text of a share, or its characters alone. `where` names it in the error. Throws SharesRefused. */
export function readShare(text: Bytes, where: string): Share {
  const mistyped = (why: string) => new SharesRefused('mistyped', `${where}: ${why}`)
  if (text.byteLength > SHARE_TEXT_MAX) throw mistyped('this is no share: it is too long')
  const typed = Buffer.from(text).toString('latin1').split('\n').filter(isCode).join('\n')
  const block = decodeCrockford(Buffer.from(typed), CHARACTERS)
  if (!block) {
    throw mistyped(
      `this is no share, or a character is missing or one too many: ${CHARACTERS} characters are expected, in groups of ${GROUP}`,
    )
  }
  const content = block.subarray(0, BLOCK_OCTETS - CHECK_OCTETS)
  const isWhole = checkOf(content).equals(block.subarray(content.length, BLOCK_OCTETS)) && block[BLOCK_OCTETS] === 0
  if (!isWhole) {
    block.fill(0)
    throw mistyped('a character is mistyped: compare it with the paper')
  }
  const [version, threshold, shares, number] = content
  const fits = version === VERSION && threshold! >= 2 && threshold! <= shares! && shares! <= SHARES_MAX
  if (!fits || number! < 1 || number! > shares!)
    throw mistyped('a newer version of Letterlock may have made this share')
  const set = content.subarray(HEAD_OCTETS, HEAD_OCTETS + SET_OCTETS)
  const octets = content.subarray(HEAD_OCTETS + SET_OCTETS)
  return { number: number!, shares: shares!, threshold: threshold!, set, octets }
}
