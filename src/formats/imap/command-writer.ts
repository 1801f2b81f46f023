/**
 * Commands to octets: the inverse of the parser, for clients of ours and for tests. Arguments that cannot be quoted become
 * literals; the chunk after a synchronising one must wait for the server's `+`.
 */
import { formatInternalDate } from '#formats/message/date.ts'
import type {
  Command,
  ListCommand,
  QresyncParameters,
  SearchCommand,
  SelectCommand,
  StatusAttribute,
} from './command.ts'
import type { FetchItem } from './fetch-item.ts'
import { encodeMailboxName } from './mailbox-name.ts'
import { formatPlainKey } from './plain-key-writer.ts'
import type { SearchKey } from './search-key.ts'
import { formatSequenceSet } from './sequence-set.ts'

export interface WrittenCommand {
  /** One chunk, and one more for each literal: send the next when the server says `+`, or at once with `nonSynchronising`. */
  readonly chunks: readonly Buffer[]
}

export function writeCommand(tag: string, command: Command, nonSynchronising = false): WrittenCommand {
  const writer = new CommandWriter(nonSynchronising)
  writer.raw(tag)
  writer.command(command)
  return { chunks: writer.finish() }
}

const STATUS_NAMES: Record<StatusAttribute, string> = {
  messages: 'MESSAGES',
  recent: 'RECENT',
  uidNext: 'UIDNEXT',
  uidValidity: 'UIDVALIDITY',
  unseen: 'UNSEEN',
  highestModseq: 'HIGHESTMODSEQ',
  size: 'SIZE',
  deleted: 'DELETED',
}
const LIST_OPTIONS = {
  subscribed: 'SUBSCRIBED',
  remote: 'REMOTE',
  recursiveMatch: 'RECURSIVEMATCH',
  specialUse: 'SPECIAL-USE',
  children: 'CHILDREN',
}
type MailboxCommand = Extract<
  Command,
  { kind: 'create' | 'rename' | 'lsub' | 'status' } | { readonly kind: 'delete' | 'subscribe' | 'unsubscribe' }
>

const STORE_SIGNS = { replace: '', add: '+', remove: '-' }

class CommandWriter {
  readonly #nonSynchronising: boolean
  readonly #chunks: Buffer[] = []
  #pieces: Buffer[] = []

  constructor(nonSynchronising: boolean) {
    this.#nonSynchronising = nonSynchronising
  }

  finish(): Buffer[] {
    this.raw('\r\n')
    this.#chunks.push(Buffer.concat(this.#pieces))
    return this.#chunks
  }

  raw(text: string): this {
    this.#pieces.push(Buffer.from(text))
    return this
  }

  #literal(octets: Buffer): this {
    this.raw(`{${octets.length}${this.#nonSynchronising ? '+' : ''}}\r\n`)
    this.#chunks.push(Buffer.concat(this.#pieces))
    this.#pieces = [octets]
    return this
  }

  /** A quoted string where it can be one, otherwise a literal. */
  string(value: string | Buffer): this {
    const octets = Buffer.from(value)
    const text = octets.toString('latin1')
    return /^[\x20-\x7e]*$/.test(text) ? this.raw(`"${text.replace(/["\\]/g, '\\$&')}"`) : this.#literal(octets)
  }

  #mailbox(name: string): this {
    return this.raw(' ').string(encodeMailboxName(name))
  }

  command(command: Command): void {
    switch (command.kind) {
      case 'authenticate':
        this.raw(` AUTHENTICATE ${command.mechanism}`)
        if (command.initialResponse) this.raw(` ${command.initialResponse.toString('base64') || '='}`)
        break
      case 'login':
        this.raw(' LOGIN ').string(command.user).raw(' ').string(command.password)
        break
      case 'enable':
        this.raw(` ENABLE ${command.capabilities.join(' ')}`)
        break
      case 'select':
      case 'examine':
        this.#select(command)
        break
      case 'create':
      case 'delete':
      case 'subscribe':
      case 'unsubscribe':
      case 'rename':
      case 'lsub':
      case 'status':
        this.#onMailbox(command)
        break
      case 'list':
        this.#list(command)
        break
      case 'append':
        this.#append(command)
        break
      case 'search':
        this.#search(command)
        break
      case 'uidExpunge':
        this.raw(` UID EXPUNGE ${formatSequenceSet(command.uids)}`)
        break
      case 'fetch':
      case 'store':
      case 'copy':
      case 'move':
        this.#onMessages(command)
        break
      case 'id':
        this.#id(command.parameters)
        break
      default:
        this.raw(` ${command.kind.toUpperCase()}`)
    }
  }

  #onMailbox(command: MailboxCommand): void {
    this.raw(` ${command.kind.toUpperCase()}`)
    if (command.kind === 'rename') this.#mailbox(command.from).#mailbox(command.to)
    else if (command.kind === 'lsub') this.#mailbox(command.reference).#mailbox(command.pattern)
    else this.#mailbox(command.mailbox)
    if (command.kind === 'status') this.raw(` ${statusNames(command.attributes)}`)
    if (command.kind === 'create' && command.use.length > 0) this.raw(` (USE (${command.use.join(' ')}))`)
  }

  #select(command: SelectCommand): void {
    this.raw(` ${command.kind.toUpperCase()}`).#mailbox(command.mailbox)
    const parameters: string[] = []
    if (command.condstore) parameters.push('CONDSTORE')
    if (command.qresync) parameters.push(formatQresync(command.qresync))
    if (parameters.length > 0) this.raw(` (${parameters.join(' ')})`)
  }

  #list(command: ListCommand): void {
    this.raw(' LIST')
    const several = command.patterns.length !== 1
    const returns = (command.return ?? []).map((option) => LIST_OPTIONS[option])
    if (command.status) returns.push(`STATUS ${statusNames(command.status)}`)
    const plain = !several && command.return === null && command.status === null
    if (command.select.length > 0 || (command.extended && plain)) {
      this.raw(` (${command.select.map((option) => LIST_OPTIONS[option]).join(' ')})`)
    }
    this.#mailbox(command.reference)
    if (several) this.raw(' (')
    for (const [index, pattern] of command.patterns.entries()) {
      if (index > 0 || !several) this.raw(' ')
      this.string(encodeMailboxName(pattern))
    }
    if (several) this.raw(')')
    if (command.return !== null || command.status !== null) this.raw(` RETURN (${returns.join(' ')})`)
  }

  #append(command: Extract<Command, { kind: 'append' }>): void {
    this.raw(' APPEND').#mailbox(command.mailbox)
    for (const { flags, internalDate, content } of command.messages) {
      this.raw(` (${flags.join(' ')})`)
      if (internalDate !== null) this.raw(` "${formatInternalDate(internalDate)}"`)
      this.raw(' ').#literal(content)
    }
  }

  #onMessages(command: Extract<Command, { kind: 'fetch' | 'store' | 'copy' | 'move' }>): void {
    this.raw(`${command.uid ? ' UID' : ''} ${command.kind.toUpperCase()} ${formatSequenceSet(command.set)}`)
    if (command.kind === 'fetch') {
      this.raw(' (')
      for (const [index, wanted] of command.items.entries()) {
        if (index > 0) this.raw(' ')
        this.#fetchItem(wanted)
      }
      this.raw(')')
      if (command.changedSince !== null) {
        this.raw(` (CHANGEDSINCE ${command.changedSince}${command.vanished ? ' VANISHED' : ''})`)
      }
    } else if (command.kind === 'store') {
      if (command.unchangedSince !== null) this.raw(` (UNCHANGEDSINCE ${command.unchangedSince})`)
      const sign = STORE_SIGNS[command.mode]
      this.raw(` ${sign}FLAGS${command.silent ? '.SILENT' : ''} (${command.flags.join(' ')})`)
    } else this.#mailbox(command.mailbox)
  }

  #fetchItem(wanted: FetchItem): void {
    if (wanted.kind !== 'section') {
      this.raw(FETCH_NAMES[wanted.kind])
      return
    }
    const { section, partial, peek } = wanted
    this.raw(`BODY${peek ? '.PEEK' : ''}[${section.part.join('.')}`)
    if (section.part.length > 0 && section.text) this.raw('.')
    if (section.text?.kind === 'fields') {
      this.raw(`HEADER.FIELDS${section.text.not ? '.NOT' : ''} (`)
      for (const [index, name] of section.text.names.entries()) {
        if (index > 0) this.raw(' ')
        this.string(name)
      }
      this.raw(')')
    } else if (section.text) this.raw(section.text.kind.toUpperCase())
    this.raw(partial ? `]<${partial.start}.${partial.length}>` : ']')
  }

  #search(command: SearchCommand): void {
    this.raw(`${command.uid ? ' UID' : ''} SEARCH`)
    if (command.return) this.raw(` RETURN (${command.return.join(' ').toUpperCase()})`)
    if (command.charset !== null) this.raw(' CHARSET ').string(command.charset)
    this.raw(' ')
    this.#key(command.key)
  }

  #key(key: SearchKey): void {
    switch (key.kind) {
      case 'and':
        this.raw('(')
        for (const [index, member] of key.keys.entries()) {
          if (index > 0) this.raw(' ')
          this.#key(member)
        }
        this.raw(')')
        break
      case 'or':
        for (const [index, member] of key.keys.entries()) {
          if (index < key.keys.length - 1) this.raw('OR ')
          this.#key(member)
          if (index < key.keys.length - 1) this.raw(' ')
        }
        break
      case 'not':
        this.raw('NOT ')
        this.#key(key.key)
        break
      case 'header':
        this.raw('HEADER ').string(key.field).raw(' ').string(key.text)
        break
      case 'body':
      case 'text':
        this.raw(`${key.kind.toUpperCase()} `).string(key.text)
        break
      default:
        this.raw(formatPlainKey(key))
    }
  }

  #id(parameters: readonly (readonly [string, string | null])[] | null): void {
    if (!parameters) {
      this.raw(' ID NIL')
      return
    }
    this.raw(' ID (')
    for (const [index, [field, value]] of parameters.entries()) {
      if (index > 0) this.raw(' ')
      this.string(field).raw(' ')
      if (value === null) this.raw('NIL')
      else this.string(value)
    }
    this.raw(')')
  }
}

const FETCH_NAMES: Record<Exclude<FetchItem['kind'], 'section'>, string> = {
  envelope: 'ENVELOPE',
  flags: 'FLAGS',
  internalDate: 'INTERNALDATE',
  size: 'RFC822.SIZE',
  uid: 'UID',
  modseq: 'MODSEQ',
  body: 'BODY',
  bodyStructure: 'BODYSTRUCTURE',
  rfc822: 'RFC822',
  rfc822Header: 'RFC822.HEADER',
  rfc822Text: 'RFC822.TEXT',
}

const statusNames = (attributes: readonly StatusAttribute[]) =>
  `(${attributes.map((one) => STATUS_NAMES[one]).join(' ')})`

function formatQresync({ uidValidity, modseq, knownUids, match }: QresyncParameters): string {
  const known = knownUids ? ` ${formatSequenceSet(knownUids)}` : ''
  const matched = match ? ` (${formatSequenceSet(match.sequence)} ${formatSequenceSet(match.uids)})` : ''
  return `QRESYNC (${uidValidity} ${modseq}${known}${matched})`
}
