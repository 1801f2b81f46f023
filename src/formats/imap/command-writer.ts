/**
 * Commands to octets: the inverse of the parser, for clients of ours and for tests. Arguments that cannot be quoted become
 * literals; the chunk after a synchronising one must wait for the server's `+`.
 */
import { ArgumentWriter } from './argument-writer.ts'
import type { Command, StoreCommand } from './command.ts'
import { writeFetch } from './fetch-writer.ts'
import {
  writeAppend,
  writeGetMetadata,
  writeList,
  writeNotify,
  writeOnMailbox,
  writeSelect,
  writeSetMetadata,
} from './mailbox-command-writer.ts'
import { writeSearch } from './search-writer.ts'
import { formatSequenceSet } from './sequence-set.ts'

export interface WrittenCommand {
  /** One chunk, and one more for each literal: send the next when the server says `+`, or at once with `nonSynchronising`. */
  readonly chunks: readonly Buffer[]
}

export function writeCommand(tag: string, command: Command, nonSynchronising = false): WrittenCommand {
  const writer = new ArgumentWriter(nonSynchronising)
  writer.raw(tag)
  writeArguments(writer, command)
  return { chunks: writer.finish() }
}

function writeArguments(writer: ArgumentWriter, command: Command): void {
  switch (command.kind) {
    case 'authenticate':
      writer.raw(` AUTHENTICATE ${command.mechanism}`)
      if (command.initialResponse) writer.raw(` ${command.initialResponse.toString('base64') || '='}`)
      break
    case 'login':
      writer.raw(' LOGIN ').string(command.user).raw(' ').string(command.password)
      break
    case 'enable':
      writer.raw(` ENABLE ${command.capabilities.join(' ')}`)
      break
    case 'id':
      writeId(writer, command.parameters)
      break
    case 'compress':
      writer.raw(` COMPRESS ${command.mechanism}`)
      break
    case 'fetch':
      writeFetch(writer, command)
      break
    case 'store':
      writeStore(writer, command)
      break
    case 'copy':
    case 'move':
      writer.raw(`${command.uid ? ' UID' : ''} ${command.kind.toUpperCase()} ${formatSequenceSet(command.set)}`)
      writer.mailbox(command.mailbox)
      break
    case 'uidExpunge':
      writer.raw(` UID EXPUNGE ${formatSequenceSet(command.uids)}`)
      break
    case 'search':
    case 'sort':
    case 'thread':
      writeSearch(writer, command)
      break
    default:
      writeMailboxCommand(writer, command)
  }
}

type MailboxCommand = Exclude<
  Command,
  | { kind: 'authenticate' | 'login' | 'enable' | 'id' | 'compress' | 'fetch' | 'store' | 'uidExpunge' }
  | { readonly kind: 'copy' | 'move' }
  | { kind: 'search' | 'sort' | 'thread' }
>

function writeMailboxCommand(writer: ArgumentWriter, command: MailboxCommand): void {
  switch (command.kind) {
    case 'select':
    case 'examine':
      writeSelect(writer, command)
      break
    case 'create':
    case 'delete':
    case 'subscribe':
    case 'unsubscribe':
    case 'rename':
    case 'lsub':
    case 'status':
      writeOnMailbox(writer, command)
      break
    case 'list':
      writeList(writer, command)
      break
    case 'append':
      writeAppend(writer, command)
      break
    case 'notify':
      writeNotify(writer, command)
      break
    case 'getMetadata':
      writeGetMetadata(writer, command)
      break
    case 'setMetadata':
      writeSetMetadata(writer, command)
      break
    case 'getQuota':
      writer.raw(' GETQUOTA ').string(command.root)
      break
    case 'getQuotaRoot':
      writer.raw(' GETQUOTAROOT').mailbox(command.mailbox)
      break
    case 'setQuota':
      writer.raw(' SETQUOTA ').string(command.root).raw(' ()')
      break
    default:
      writer.raw(` ${command.kind.toUpperCase()}`)
  }
}

const STORE_SIGNS = { replace: '', add: '+', remove: '-' }

function writeStore(writer: ArgumentWriter, command: StoreCommand): void {
  writer.raw(`${command.uid ? ' UID' : ''} STORE ${formatSequenceSet(command.set)}`)
  if (command.unchangedSince !== null) writer.raw(` (UNCHANGEDSINCE ${command.unchangedSince})`)
  const sign = STORE_SIGNS[command.mode]
  writer.raw(` ${sign}FLAGS${command.silent ? '.SILENT' : ''} (${command.flags.join(' ')})`)
}

function writeId(writer: ArgumentWriter, parameters: readonly (readonly [string, string | null])[] | null): void {
  writer.raw(' ID ')
  if (!parameters) {
    writer.raw('NIL')
    return
  }
  writer.list(parameters, ([field, value]) => {
    writer.string(field).raw(' ')
    if (value === null) writer.raw('NIL')
    else writer.string(value)
  })
}
