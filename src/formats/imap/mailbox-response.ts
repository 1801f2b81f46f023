/** What is told about mailboxes, without star and line end. Names of mailboxes are formatted already (formatMailbox). */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { formatAstring, formatBinaryContent, formatString, type ResponseChunk } from './writer.ts'

const QUOTED_OCTETS = 1_024

export interface ListedMailbox {
  readonly attributes: readonly string[]
  readonly delimiter: string
  readonly name: string
  /** RFC 5258 §3.5: selection options that something below fits. */
  readonly childInfo?: readonly string[]
  /** RFC 5465 §5.4, RFC 9051 §6.3.9.7: what it was called before, formatted. */
  readonly oldName?: string
}

export function formatList({ attributes, delimiter, name, childInfo = [], oldName }: ListedMailbox): string {
  const extended: string[] = []
  if (childInfo.length > 0) extended.push(`"CHILDINFO" (${childInfo.map(formatString).join(' ')})`)
  if (oldName !== undefined) extended.push(`"OLDNAME" (${oldName})`)
  const data = extended.length > 0 ? ` (${extended.join(' ')})` : ''
  return `LIST (${attributes.join(' ')}) ${formatString(delimiter)} ${name}${data}`
}

/** RFC 3501 §7.2.4: attributes with their values. */
export function formatStatus(name: string, attributes: readonly (readonly [string, number | string])[]): string {
  return `STATUS ${name} (${attributes.map(([attribute, value]) => `${attribute} ${value}`).join(' ')})`
}

/** RFC 9208 §5.1: resources with usage and limit. */
export function formatQuota(root: string, resources: readonly (readonly [string, number, number])[]): string {
  return `QUOTA ${formatString(root)} (${resources.map((one) => one.join(' ')).join(' ')})`
}

/** RFC 9208 §5.2. */
export function formatQuotaRoot(name: string, roots: readonly string[]): string {
  return ['QUOTAROOT', name, ...roots.map(formatString)].join(' ')
}

/** RFC 5464 §4.4.1: entries with their values. Names of entries are octets as latin1. */
export function formatMetadata(name: string, entries: readonly (readonly [string, Bytes | null])[]): ResponseChunk[] {
  const chunks: ResponseChunk[] = [`METADATA ${name} (`]
  for (const [index, [entry, value]] of entries.entries()) {
    chunks.push(`${index > 0 ? ' ' : ''}${formatAstring(entry)} `, ...formatValue(value))
  }
  chunks.push(')')
  return chunks
}

/** Quoted where that is possible: there are clients that read one line. */
function formatValue(value: Bytes | null): readonly ResponseChunk[] {
  const text = value && value.byteLength <= QUOTED_OCTETS ? asBuffer(value).toString('latin1') : null
  return text !== null && /^[\x20-\x7e]*$/.test(text) ? [formatString(text)] : formatBinaryContent(value)
}

/** RFC 5464 §4.4.2: entries that changed, without values. */
export function formatChangedMetadata(name: string, entries: readonly string[]): string {
  return ['METADATA', name, ...entries.map(formatAstring)].join(' ')
}
