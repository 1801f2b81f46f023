/** One FETCH response (RFC 3501 §7.4.2) from what was opened of a message. */
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { formatBodyStructure, formatEnvelope } from '#formats/imap/structure-writer.ts'
import { formatContent, formatFetch, formatSection, type ResponseChunk } from '#formats/imap/writer.ts'
import { formatInternalDate } from '#formats/message/date.ts'
import { bad } from '../imap-error.ts'
import type { SelectedMailbox } from '../selected.ts'
import type { Opened } from './opened-messages.ts'
import { partOf, sectionOf } from './section.ts'

type OpenMessage = Opened & { readonly kind: 'open' }
type Chunks = readonly ResponseChunk[]

const HEADER = { part: [], text: { kind: 'header' } } as const
const TEXT = { part: [], text: { kind: 'text' } } as const

/** Contents are in it as they lie in memory. `seen`: this FETCH has set \Seen, which the client is told with it. */
export function fetchResponse(
  mailbox: SelectedMailbox,
  items: readonly FetchItem[],
  message: OpenMessage,
  seen: boolean,
): ResponseChunk[] {
  const index = mailbox.view.indexOf(message.uid)
  const attributes = items.map((item) => attribute(mailbox, index, item, message))
  if (seen && !items.some(({ kind }) => kind === 'flags')) attributes.push([`FLAGS ${mailbox.flagList(index)}`])
  return formatFetch(index + 1, attributes)
}

function attribute(mailbox: SelectedMailbox, index: number, item: FetchItem, message: OpenMessage): Chunks {
  const { summary, content, uid } = message
  switch (item.kind) {
    case 'uid':
      return [`UID ${uid}`]
    case 'flags':
      return [`FLAGS ${mailbox.flagList(index)}`]
    case 'internalDate':
      return [`INTERNALDATE "${formatInternalDate(mailbox.view.dateAt(index))}"`]
    case 'modseq':
      return [`MODSEQ (${mailbox.view.at(index).modseq})`]
    case 'size':
      return [`RFC822.SIZE ${summary!.size}`]
    case 'envelope':
      return [`ENVELOPE ${formatEnvelope(summary!.root.envelope!)}`]
    case 'body':
      return [`BODY ${formatBodyStructure(summary!.root, false)}`]
    case 'bodyStructure':
      return [`BODYSTRUCTURE ${formatBodyStructure(summary!.root, true)}`]
    case 'rfc822':
      return ['RFC822 ', ...formatContent(content)]
    case 'rfc822Header':
      return ['RFC822.HEADER ', ...formatContent(sectionOf(HEADER, summary, content))]
    case 'rfc822Text':
      return ['RFC822.TEXT ', ...formatContent(sectionOf(TEXT, summary, content))]
    case 'binary':
    case 'binarySize':
    case 'preview':
    case 'emailId':
    case 'threadId':
    case 'saveDate':
      throw bad('Not supported')
    case 'section': {
      const octets = sectionOf(item.section, summary, content)
      return [`${formatSection(item.section, item.partial)} `, ...formatContent(octets && partOf(octets, item.partial))]
    }
  }
}
