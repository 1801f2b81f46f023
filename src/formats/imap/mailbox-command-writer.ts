/** Commands about mailboxes as a client writes them. */
import { formatInternalDate } from '#formats/message/date.ts'
import type { ArgumentWriter } from './argument-writer.ts'
import type {
  AppendedMessage,
  Command,
  GetMetadataCommand,
  ListCommand,
  NotifyCommand,
  NotifyGroup,
  NotifyMailboxes,
  QresyncParameters,
  SelectCommand,
  StatusAttribute,
} from './command.ts'
import { writeFetchItem } from './fetch-writer.ts'
import { encodeMailboxName } from './mailbox-name.ts'
import { formatSequenceSet } from './sequence-set.ts'

const STATUS_NAMES: Record<StatusAttribute, string> = {
  messages: 'MESSAGES',
  recent: 'RECENT',
  uidNext: 'UIDNEXT',
  uidValidity: 'UIDVALIDITY',
  unseen: 'UNSEEN',
  highestModseq: 'HIGHESTMODSEQ',
  size: 'SIZE',
  deleted: 'DELETED',
  deletedStorage: 'DELETED-STORAGE',
  mailboxId: 'MAILBOXID',
  appendLimit: 'APPENDLIMIT',
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

export function writeOnMailbox(writer: ArgumentWriter, command: MailboxCommand): void {
  writer.raw(` ${command.kind.toUpperCase()}`)
  if (command.kind === 'rename') writer.mailbox(command.from).mailbox(command.to)
  else if (command.kind === 'lsub') writer.mailbox(command.reference).mailbox(command.pattern)
  else writer.mailbox(command.mailbox)
  if (command.kind === 'status') writer.raw(` ${statusNames(command.attributes)}`)
  if (command.kind === 'create' && command.use.length > 0) writer.raw(` (USE (${command.use.join(' ')}))`)
}

export function writeSelect(writer: ArgumentWriter, command: SelectCommand): void {
  writer.raw(` ${command.kind.toUpperCase()}`).mailbox(command.mailbox)
  const parameters: string[] = []
  if (command.condstore) parameters.push('CONDSTORE')
  if (command.qresync) parameters.push(formatQresync(command.qresync))
  if (parameters.length > 0) writer.raw(` (${parameters.join(' ')})`)
}

function formatQresync({ uidValidity, modseq, knownUids, match }: QresyncParameters): string {
  const known = knownUids ? ` ${formatSequenceSet(knownUids)}` : ''
  const matched = match ? ` (${formatSequenceSet(match.sequence)} ${formatSequenceSet(match.uids)})` : ''
  return `QRESYNC (${uidValidity} ${modseq}${known}${matched})`
}

export function writeList(writer: ArgumentWriter, command: ListCommand): void {
  const several = command.patterns.length !== 1
  const returns = (command.return ?? []).map((option) => LIST_OPTIONS[option])
  if (command.status) returns.push(`STATUS ${statusNames(command.status)}`)
  const plain = !several && command.return === null && command.status === null
  writer.raw(' LIST')
  if (command.select.length > 0 || (command.extended && plain)) {
    writer.raw(` (${command.select.map((option) => LIST_OPTIONS[option]).join(' ')})`)
  }
  writer.mailbox(command.reference).raw(' ')
  const pattern = (text: string) => writer.string(encodeMailboxName(text))
  if (several) writer.list(command.patterns, pattern)
  else pattern(command.patterns[0]!)
  if (command.return !== null || command.status !== null) writer.raw(` RETURN (${returns.join(' ')})`)
}

const statusNames = (attributes: readonly StatusAttribute[]) =>
  `(${attributes.map((one) => STATUS_NAMES[one]).join(' ')})`

export function writeAppend(writer: ArgumentWriter, command: Command & { kind: 'append' }): void {
  writer.raw(' APPEND').mailbox(command.mailbox)
  for (const message of command.messages) {
    writer.raw(` (${message.flags.join(' ')})`)
    if (message.internalDate !== null) writer.raw(` "${formatInternalDate(message.internalDate)}"`)
    writer.raw(' ')
    writeContent(writer, message)
  }
}

function writeContent(writer: ArgumentWriter, { content, utf8 }: AppendedMessage): void {
  if (Buffer.isBuffer(content)) {
    if (utf8) writer.raw('UTF8 (').literal(content, true).raw(')')
    else writer.literal(content, content.includes(0))
    return
  }
  writer.raw('CATENATE ').list(content, (piece) => {
    if (piece.kind === 'url') writer.raw('URL ').string(piece.url)
    else if (utf8) writer.raw('UTF8 (').literal(piece.octets, true).raw(')')
    else writer.raw('TEXT ').literal(piece.octets)
  })
}

export function writeGetMetadata(writer: ArgumentWriter, command: GetMetadataCommand): void {
  const size = command.maxSize === null ? '' : `MAXSIZE ${command.maxSize} `
  writer.raw(` GETMETADATA (${size}DEPTH ${command.depth})`).mailbox(command.mailbox).raw(' ')
  writer.list(command.entries, (entry) => writer.string(entry))
}

export function writeSetMetadata(writer: ArgumentWriter, command: Command & { kind: 'setMetadata' }): void {
  writer.raw(' SETMETADATA').mailbox(command.mailbox).raw(' ')
  writer.list(command.entries, ([entry, value]) => {
    writer.string(entry).raw(' ')
    if (value === null) writer.raw('NIL')
    else if (value.includes(0)) writer.literal(value, true)
    else writer.string(value)
  })
}

export function writeNotify(writer: ArgumentWriter, { status, groups }: NotifyCommand): void {
  writer.raw(groups ? ` NOTIFY SET${status ? ' STATUS' : ''}` : ' NOTIFY NONE')
  for (const group of groups ?? []) writeGroup(writer.raw(' '), group)
}

function writeGroup(writer: ArgumentWriter, { mailboxes, events, messageNew }: NotifyGroup): void {
  writeMailboxes(writer.raw('('), mailboxes)
  if (events.length === 0) writer.raw(' NONE')
  else {
    writer.raw(' ').list(events, (event) => {
      writer.raw(event)
      if (event !== 'MESSAGENEW' || messageNew.length === 0) return
      writer.raw(' ').list(messageNew, (wanted) => writeFetchItem(writer, wanted))
    })
  }
  writer.raw(')')
}

function writeMailboxes(writer: ArgumentWriter, mailboxes: NotifyMailboxes): void {
  writer.raw(mailboxes.kind === 'selectedDelayed' ? 'selected-delayed' : mailboxes.kind)
  if (!('names' in mailboxes)) return
  writer.raw(' ').list(mailboxes.names, (name) => writer.string(encodeMailboxName(name)))
}
