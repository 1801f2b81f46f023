/** SEARCH, SORT, THREAD and their keys as a client writes them. */
import type { ArgumentWriter } from './argument-writer.ts'
import type { SearchCommand, SortCommand, ThreadCommand } from './command.ts'
import { formatPlainKey } from './plain-key-writer.ts'
import type { SearchKey } from './search-key.ts'

export function writeSearch(writer: ArgumentWriter, command: SearchCommand | SortCommand | ThreadCommand): void {
  writer.raw(`${command.uid ? ' UID' : ''} ${command.kind.toUpperCase()} `)
  if (command.kind === 'thread') writer.raw(`${command.algorithm} `)
  else if (command.return) {
    const { first, last } = command.partial ?? {}
    const options = command.return.map((option) => option.toUpperCase())
    if (command.partial) options.push(`PARTIAL ${first}:${last}`)
    writer.raw(`RETURN (${options.join(' ')}) `)
  }
  if (command.kind === 'sort') {
    writer.list(command.criteria, ({ field, reverse }) => {
      writer.raw(`${reverse ? 'REVERSE ' : ''}${field.toUpperCase()}`)
    })
    writer.raw(' ')
  }
  if (command.kind === 'search' && command.charset !== null) writer.raw('CHARSET ')
  if (command.charset !== null) writer.string(command.charset).raw(' ')
  writeSearchKey(writer, command.key)
}

function writeSearchKey(writer: ArgumentWriter, key: SearchKey): void {
  switch (key.kind) {
    case 'and':
      writer.list(key.keys, (member) => writeSearchKey(writer, member))
      break
    case 'or':
      for (const [index, member] of key.keys.entries()) {
        if (index < key.keys.length - 1) writer.raw('OR ')
        writeSearchKey(writer, member)
        if (index < key.keys.length - 1) writer.raw(' ')
      }
      break
    case 'not':
      writer.raw('NOT ')
      writeSearchKey(writer, key.key)
      break
    case 'header':
      writer.raw('HEADER ').string(key.field).raw(' ').string(key.text)
      break
    case 'body':
    case 'text':
      writer.raw(`${key.kind.toUpperCase()} `).string(key.text)
      break
    default:
      writer.raw(formatPlainKey(key))
  }
}
