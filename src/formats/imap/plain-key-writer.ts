/** Search keys that are plain ASCII, as SEARCH has them (RFC 3501 §6.4.4, and the extensions named in search-key.ts). */
import { formatImapDay } from '#formats/message/date.ts'
import type { SearchKey } from './search-key.ts'
import { formatSequenceSet } from './sequence-set.ts'

/** Keys without text and without other keys in them. */
type PlainKey = Exclude<SearchKey, { kind: 'and' | 'or' | 'not' | 'header' | 'body' | 'text' }>

export function formatPlainKey(key: PlainKey): string {
  switch (key.kind) {
    case 'all':
      return 'ALL'
    case 'flag':
      return formatFlagKey(key.flag, key.set)
    case 'size':
      return `${key.compare.toUpperCase()} ${key.octets}`
    case 'date':
      return `${key.of === 'sent' ? 'SENT' : ''}${key.compare.toUpperCase()} ${formatImapDay(key.day)}`
    case 'age':
      return `${key.compare.toUpperCase()} ${key.seconds}`
    case 'sequence':
      return formatSequenceSet(key.set)
    case 'uid':
      return `UID ${formatSequenceSet(key.set)}`
    case 'savedDate':
      return `SAVED${key.compare.toUpperCase()} ${formatImapDay(key.day)}`
    case 'saveDateSupported':
      return 'SAVEDATESUPPORTED'
    case 'objectId':
      return `${key.of.toUpperCase()}ID ${key.id}`
    case 'modseq':
      return `MODSEQ ${key.atLeast}`
  }
}

function formatFlagKey(flag: string, set: boolean): string {
  if (!flag.startsWith('\\')) return `${set ? '' : 'UN'}KEYWORD ${flag}`
  const name = flag.slice(1).toUpperCase()
  if (set) return name
  return name === 'RECENT' ? 'OLD' : `UN${name}`
}
