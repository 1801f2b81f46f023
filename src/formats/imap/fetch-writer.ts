/** FETCH and its items as a client writes them. */
import type { ArgumentWriter } from './argument-writer.ts'
import type { FetchCommand } from './command.ts'
import type { FetchItem } from './fetch-item.ts'
import { formatSequenceSet } from './sequence-set.ts'

const NAMES: Record<Exclude<FetchItem['kind'], 'section' | 'binary' | 'binarySize' | 'preview'>, string> = {
  envelope: 'ENVELOPE',
  flags: 'FLAGS',
  internalDate: 'INTERNALDATE',
  size: 'RFC822.SIZE',
  uid: 'UID',
  modseq: 'MODSEQ',
  body: 'BODY',
  bodyStructure: 'BODYSTRUCTURE',
  emailId: 'EMAILID',
  threadId: 'THREADID',
  saveDate: 'SAVEDATE',
  rfc822: 'RFC822',
  rfc822Header: 'RFC822.HEADER',
  rfc822Text: 'RFC822.TEXT',
}

export function writeFetch(writer: ArgumentWriter, command: FetchCommand): void {
  writer.raw(`${command.uid ? ' UID' : ''} FETCH ${formatSequenceSet(command.set)} `)
  writer.list(command.items, (wanted) => writeFetchItem(writer, wanted))
  const { changedSince, vanished, partial } = command
  const modifiers: string[] = []
  if (partial) modifiers.push(`PARTIAL ${partial.first}:${partial.last}`)
  if (changedSince !== null) modifiers.push(`CHANGEDSINCE ${changedSince}`)
  if (vanished) modifiers.push('VANISHED')
  if (modifiers.length > 0) writer.raw(` (${modifiers.join(' ')})`)
}

export function writeFetchItem(writer: ArgumentWriter, wanted: FetchItem): void {
  switch (wanted.kind) {
    case 'section':
      writeSection(writer, wanted)
      break
    case 'binary':
      writer.raw(`BINARY${wanted.peek ? '.PEEK' : ''}[${wanted.part.join('.')}]${formatPartial(wanted)}`)
      break
    case 'binarySize':
      writer.raw(`BINARY.SIZE[${wanted.part.join('.')}]`)
      break
    case 'preview':
      writer.raw(wanted.lazy ? 'PREVIEW (LAZY)' : 'PREVIEW')
      break
    default:
      writer.raw(NAMES[wanted.kind])
  }
}

function writeSection(writer: ArgumentWriter, wanted: FetchItem & { kind: 'section' }): void {
  const { section, peek } = wanted
  writer.raw(`BODY${peek ? '.PEEK' : ''}[${section.part.join('.')}`)
  if (section.part.length > 0 && section.text) writer.raw('.')
  if (section.text?.kind === 'fields') {
    writer.raw(`HEADER.FIELDS${section.text.not ? '.NOT' : ''} `)
    writer.list(section.text.names, (name) => writer.string(name))
  } else if (section.text) writer.raw(section.text.kind.toUpperCase())
  writer.raw(`]${formatPartial(wanted)}`)
}

const formatPartial = ({ partial }: FetchItem & { kind: 'section' | 'binary' }) =>
  partial ? `<${partial.start}.${partial.length}>` : ''
