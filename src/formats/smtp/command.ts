/**
 * SMTP and LMTP commands as values: what a client said in one line, and how that line is written. Parser and writer are
 * inverses.
 *
 * Strict where laxness was ever abused (control octets, lone CR or LF, doubled parameters, half-understood BDAT), lenient
 * where harmless mail depends on it (space after `FROM:`, source routes, spaces at the end). Credentials of AUTH stay octets.
 *
 * RFC 5321 (SMTP), 2033 (LMTP), 1870 (SIZE), 3030 (BDAT), 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH), 6152, 6531 (SMTPUTF8).
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Address } from '#formats/message/address.ts'
import {
  formatMailParameters,
  formatRcptParameters,
  type MailParameters,
  type RcptParameters,
  readMailParameters,
  readRcptParameters,
} from './parameters.ts'
import { formatPath, readPath } from './path.ts'
import { reply, SmtpError } from './reply.ts'

export type Command =
  | { readonly verb: 'EHLO' | 'HELO' | 'LHLO'; readonly name: string }
  | { readonly verb: 'MAIL'; readonly reversePath: Address | null; readonly parameters: MailParameters }
  /** A bare `<postmaster>` has the domain `` . */
  | { readonly verb: 'RCPT'; readonly recipient: Address; readonly parameters: RcptParameters }
  | { readonly verb: 'DATA' }
  | { readonly verb: 'RSET' }
  | { readonly verb: 'QUIT' }
  | { readonly verb: 'STARTTLS' }
  | { readonly verb: 'BDAT'; readonly size: number; readonly last: boolean }
  | { readonly verb: 'NOOP' | 'HELP' | 'VRFY' | 'EXPN'; readonly argument: string }
  /** The initial response is a view of the line, still base64: null when absent. Its owner wipes it. */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initialResponse: Buffer | null }

/** RFC 5321 §4.5.3.1.4 says 512 and that extensions raise it; this is what we read and all that we need. */
export const COMMAND_LINE_CAP = 4096

/** BDAT whose size cannot be read: nobody knows where the octets of the chunk end, so the connection must. */
export class LostChunk extends SmtpError {
  constructor() {
    super(reply(501, '5.5.4', 'BDAT needs a size'))
  }
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

const syntax = (words: string) => new SmtpError(reply(500, '5.5.2', words))
const badArgument = (words: string) => new SmtpError(reply(501, '5.5.4', words))

function textOf(line: Buffer): string {
  const text = isAscii(line) ? line.toString('latin1') : isUtf8(line) ? line.toString('utf8') : null
  if (text === null) throw syntax('Command is not UTF-8')
  if (CONTROL.test(text)) throw syntax('Control characters are not allowed in commands')
  return text
}

function readName(verb: 'EHLO' | 'HELO' | 'LHLO', argument: string): Command {
  // What would break the Received field is refused; otherwise the name is the client's business (RFC 5321 §4.1.4).
  if (argument === '' || argument.length > 255 || /[\s()<>@,;"\\]/.test(argument)) {
    throw badArgument(`${verb} needs a domain name or an address literal`)
  }
  return { verb, name: argument }
}

const NON_ASCII = /[^\u0000-\u007f]/
const isNonAscii = (address: Address | null) =>
  address !== null && (NON_ASCII.test(address.local) || NON_ASCII.test(address.domain))

function readMail(argument: string): Command {
  if (!/^from:/i.test(argument)) throw badArgument('MAIL needs FROM:<address>')
  const { address, rest } = readPath(argument.slice(5).trimStart(), 'reverse')
  const parameters = readMailParameters(rest)
  // RFC 6531 §3.5
  if (isNonAscii(address) && !parameters.smtputf8) {
    throw new SmtpError(reply(553, '5.6.7', 'Such an address needs the SMTPUTF8 parameter'))
  }
  return { verb: 'MAIL', reversePath: address, parameters }
}

function readRcpt(argument: string): Command {
  if (!/^to:/i.test(argument)) throw badArgument('RCPT needs TO:<address>')
  const { address, rest } = readPath(argument.slice(3).trimStart(), 'forward')
  if (!address) throw new SmtpError(reply(501, '5.1.3', 'Bad recipient address syntax'))
  return { verb: 'RCPT', recipient: address, parameters: readRcptParameters(rest) }
}

function readBdat(argument: string): Command {
  const [, size, last] = /^([0-9]{1,15})( +last)?$/i.exec(argument) ?? []
  if (size === undefined) throw new LostChunk()
  return { verb: 'BDAT', size: Number(size), last: last !== undefined }
}

/** Octets only: a credential must not become a string. */
function readAuth(line: Buffer): Command {
  const end = line.indexOf(32, 5)
  const mechanism = line.toString('latin1', 5, end < 0 ? line.length : end).toUpperCase()
  if (!/^[A-Z0-9_-]{1,20}$/.test(mechanism)) throw badArgument('AUTH needs a mechanism')
  let from = end < 0 ? line.length : end
  let until = line.length
  while (line[from] === 32) from++
  while (until > from && line[until - 1] === 32) until--
  return { verb: 'AUTH', mechanism, initialResponse: from < until ? line.subarray(from, until) : null }
}

function readBare(verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS', argument: string): Command {
  if (argument !== '') throw badArgument(`${verb} takes no argument`) // RFC 5321 §4.1.1.4, RFC 3207 §4
  return { verb }
}

/**
 * Reads one line, without its CRLF. Throws SmtpError with the reply that belongs there: 500 5.5.2 for what cannot be read,
 * 500 5.5.1 for an unknown command, 501 for a bad argument, 553, 555; LostChunk for a BDAT after which nobody knows where
 * the next command begins. State is not its business: it says what was said, not whether it may be said now.
 */
export function parseCommand(line: Buffer): Command {
  const space = line.indexOf(32)
  const verb = line.toString('latin1', 0, Math.min(space < 0 ? line.length : space, 9)).toUpperCase()
  if (verb === 'AUTH') return readAuth(line)
  const argument = textOf(line)
    .slice(space < 0 ? line.length : space + 1)
    .trim()
  switch (verb) {
    case 'EHLO':
    case 'HELO':
    case 'LHLO':
      return readName(verb, argument)
    case 'MAIL':
      return readMail(argument)
    case 'RCPT':
      return readRcpt(argument)
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      return readBare(verb, argument)
    case 'BDAT':
      return readBdat(argument)
    case 'NOOP':
    case 'HELP':
    case 'VRFY':
    case 'EXPN':
      return { verb, argument }
    default:
      throw new SmtpError(reply(500, '5.5.1', 'Unknown command'))
  }
}

/** The line without CRLF. An AUTH with an initial response is written by its caller, in octets. */
export function formatCommand(command: Exclude<Command, { verb: 'AUTH' }>): string {
  switch (command.verb) {
    case 'EHLO':
    case 'HELO':
    case 'LHLO':
      return `${command.verb} ${command.name}`
    case 'MAIL':
      return `MAIL FROM:${formatPath(command.reversePath)}${formatMailParameters(command.parameters)}`
    case 'RCPT':
      return `RCPT TO:${formatPath(command.recipient)}${formatRcptParameters(command.parameters)}`
    case 'BDAT':
      return `BDAT ${command.size}${command.last ? ' LAST' : ''}`
    case 'NOOP':
    case 'HELP':
    case 'VRFY':
    case 'EXPN':
      return command.argument === '' ? command.verb : `${command.verb} ${command.argument}`
    default:
      return command.verb
  }
}
