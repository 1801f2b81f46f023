/**
 * POP3 commands: one line of octets to one value (RFC 1939 §3, §5 to §7, RFC 2449 §5, RFC 2595 §4, RFC 5034, RFC 6856 §2).
 *
 * Promises: it never throws for what a client sends, and makes no string of a password: PASS and AUTH come as octets of their
 * own, which whoever uses them wipes. The line itself belongs to its reader.
 */
import { secretBuffer } from '#lib/bytes.ts'

export type BareCommand = 'capa' | 'noop' | 'quit' | 'rset' | 'stat' | 'stls' | 'utf8'

export type Command =
  | { readonly kind: BareCommand }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'pass'; readonly password: Buffer }
  /** `mechanism` in capitals; null asks which there are. `initial` is still base64; empty where the client sent `=` (RFC 5034 §4). */
  | { readonly kind: 'auth'; readonly mechanism: string | null; readonly initial: Buffer | null }
  /** Of all messages when null. */
  | { readonly kind: 'list' | 'uidl'; readonly message: number | null }
  | { readonly kind: 'retr' | 'dele'; readonly message: number }
  /** Lines of the body. */
  | { readonly kind: 'top'; readonly message: number; readonly lines: number }
  /** No command that is known, or not as it must be. `verb` in capitals, empty when it is no word. */
  | { readonly kind: 'unintelligible'; readonly verb: string; readonly text: string }

/** Octets of a line with its CRLF (RFC 2449 §4 asks for 255); an AUTH with a long password may have more (RFC 5034 §4). */
export const COMMAND_LINE_CAP = 512
export const AUTH_LINE_CAP = 4096

const BARE: ReadonlySet<string> = new Set([
  'capa',
  'noop',
  'quit',
  'rset',
  'stat',
  'stls',
  'utf8',
] satisfies BareCommand[])
const SPACE = 32
const VERB_OCTETS = 16
const MECHANISM_OCTETS = 20

/** `line` without its end. */
export function parseCommand(line: Buffer): Command {
  const space = line.indexOf(SPACE)
  const end = space < 0 ? line.length : space
  const verb = end <= VERB_OCTETS ? line.toString('latin1', 0, end).toUpperCase() : ''
  const argument = line.subarray(Math.min(end + 1, line.length))
  const refused = (text: string): Command => ({ kind: 'unintelligible', verb: isWord(verb) ? verb : '', text })
  if (verb !== 'AUTH' && line.length + 2 > COMMAND_LINE_CAP) return refused('The line is too long')
  if (line.includes(0)) return refused('There is an octet in the line that no command has')
  return (
    parseArgument(verb.toLowerCase(), argument) ??
    refused(isKnown(verb) ? 'This is not how it is asked' : 'Unknown command')
  )
}

const VERBS: ReadonlySet<string> = new Set([...BARE, 'user', 'pass', 'auth', 'list', 'uidl', 'retr', 'dele', 'top'])
const isKnown = (verb: string): boolean => VERBS.has(verb.toLowerCase())
const isWord = (text: string): boolean => /^[A-Z0-9]{1,16}$/.test(text)

/** null: these are no arguments of this command, or it is none. */
function parseArgument(verb: string, argument: Buffer): Command | null {
  switch (verb) {
    case 'user':
      return argument.length > 0 ? { kind: verb, name: argument.toString('utf8') } : null
    case 'pass':
      // RFC 1939 §7: spaces are part of the password.
      return argument.length > 0 ? { kind: verb, password: ownCopy(argument) } : null
    case 'auth':
      return parseAuth(argument)
  }
  const words = wordsOf(argument)
  const numbers = words.map(parseNumber)
  if (numbers.includes(null)) return null
  const [first = null, second = null, ...more] = numbers
  switch (verb) {
    case 'list':
    case 'uidl':
      return second === null ? { kind: verb, message: first } : null
    case 'retr':
    case 'dele':
      return first !== null && second === null ? { kind: verb, message: first } : null
    case 'top':
      return first !== null && second !== null && more.length === 0
        ? { kind: verb, message: first, lines: second }
        : null
    default:
      return BARE.has(verb) && words.length === 0 ? { kind: verb as BareCommand } : null
  }
}

function parseAuth(argument: Buffer): Command | null {
  const space = argument.indexOf(SPACE)
  const end = space < 0 ? argument.length : space
  if (end > MECHANISM_OCTETS) return null
  if (end === 0) return argument.length === 0 ? { kind: 'auth', mechanism: null, initial: null } : null
  const mechanism = argument.toString('latin1', 0, end).toUpperCase()
  if (space < 0) return { kind: 'auth', mechanism, initial: null }
  const response = argument.subarray(space + 1)
  const isEmpty = response.length === 1 && response[0] === 61
  return { kind: 'auth', mechanism, initial: isEmpty ? Buffer.alloc(0) : ownCopy(response) }
}

function ownCopy(octets: Buffer): Buffer {
  const copy = secretBuffer(octets.length)
  octets.copy(copy)
  return copy
}

/** Some clients send more spaces than one, and at the end. */
function wordsOf(argument: Buffer): string[] {
  return argument
    .toString('latin1')
    .split(' ')
    .filter((word) => word !== '')
}

/** However large, it stays a number that no mailbox has. */
function parseNumber(word: string): number | null {
  return /^[0-9]+$/.test(word) ? Math.min(Number(word), Number.MAX_SAFE_INTEGER) : null
}
