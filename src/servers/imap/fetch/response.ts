/** One FETCH response (RFC 3501 §7.4.2) from what was opened of a message. */
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { formatBodyStructure, formatEnvelope } from '#formats/imap/structure-writer.ts'
import {
  formatBinaryContent,
  formatBinarySection,
  formatContent,
  formatSection,
  formatString,
  type ResponseChunk,
} from '#formats/imap/writer.ts'
import { formatInternalDate } from '#formats/message/date.ts'
import { previewOf } from '#formats/message/preview.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Turn } from '#lib/turn.ts'
import type { Wire } from '#servers/line/wire.ts'
import type { SelectedMailbox } from '../selected.ts'
import { decodedPart } from './binary.ts'
import type { Opened } from './opened-messages.ts'
import { partOf, sectionOf } from './section.ts'
import { threadIdOf } from './thread-id.ts'

type OpenMessage = Opened & { readonly kind: 'open' }
type Chunks = readonly ResponseChunk[]

const HEADER = { part: [], text: { kind: 'header' } } as const
const TEXT = { part: [], text: { kind: 'text' } } as const

/** How all messages of a command are answered. */
export interface Answering {
  readonly mailbox: SelectedMailbox
  readonly items: readonly FetchItem[]
  readonly turn: Turn
}

/** Text that goes out before more of it is written. */
const PIECE = 16_384
/** Of a large content. */
const SLICE = 2 * 1_048_576

/**
 * Sends the response, as fast as the client takes it: with enough items in a command it may be any number of times larger than the
 * message. `seen`: this FETCH has set \Seen, which the client is told with it. Answers false when something was left out because
 * nobody knows how it is encoded. Contents of up to COPIED octets (outgoing.ts) are needed no more afterwards.
 */
export async function sendResponse(
  wire: Wire,
  answering: Answering,
  message: OpenMessage,
  seen: boolean,
): Promise<boolean> {
  const { mailbox, items, turn } = answering
  let text = mailbox.manner.fetch(mailbox.view.indexOf(message.uid), message.uid)
  let before = ''
  let whole = true
  for (const wanted of seen ? [...items, ...alsoTold(answering)] : items) {
    // Each may be a search through a header of megabytes, and there are hundreds in a command.
    if (turn.isOver) await turn.next()
    const attribute = attributeOf(mailbox, wanted, message)
    whole &&= attribute !== null
    if (attribute === null) continue
    text += before
    before = ' '
    for (const piece of typeof attribute === 'string' ? [attribute] : attribute) {
      if (typeof piece === 'string') text += piece
      else {
        wire.send(text)
        text = ''
        await sendContent(wire, piece)
      }
      if (text.length > PIECE) {
        wire.send(text)
        text = ''
      }
      if (wire.congested) await wire.flush()
    }
  }
  if (before !== '') wire.send(`${text})\r\n`)
  return whole
}

/** In slices: TLS holds once more what it is handed, and others wait while it encrypts that. */
async function sendContent(wire: Wire, content: Bytes): Promise<void> {
  for (let start = 0; start < content.length; start += SLICE) {
    if (wire.congested) await wire.flush()
    wire.send(content.subarray(start, start + SLICE))
  }
}

/** RFC 7162 §3.1: flags that change are told with their MODSEQ. */
function alsoTold({ items, mailbox }: Answering): readonly FetchItem[] {
  const told: readonly FetchItem[] = mailbox.manner.modseq
    ? [{ kind: 'flags' }, { kind: 'modseq' }]
    : [{ kind: 'flags' }]
  return told.filter(({ kind }) => !items.some((one) => one.kind === kind))
}

/** null: it cannot be decoded. */
function attributeOf(mailbox: SelectedMailbox, wanted: FetchItem, message: OpenMessage): string | Chunks | null {
  const { row, facts, summary, content, uid } = message
  switch (wanted.kind) {
    case 'uid':
      return `UID ${uid}`
    case 'flags':
      return `FLAGS ${mailbox.flagsOf(row!)}`
    case 'internalDate':
      return `INTERNALDATE "${formatInternalDate(row!.internalDate)}"`
    case 'modseq':
      return `MODSEQ (${row!.modseq})`
    case 'size':
      return `RFC822.SIZE ${summary!.size}`
    case 'envelope':
      return `ENVELOPE ${formatEnvelope(summary!.envelope)}`
    case 'body':
      return `BODY ${formatBodyStructure(summary!.root, false, mailbox.manner.rev2)}`
    case 'bodyStructure':
      return `BODYSTRUCTURE ${formatBodyStructure(summary!.root, true, mailbox.manner.rev2)}`
    case 'emailId':
      return `EMAILID (${facts!.emailId})`
    case 'saveDate':
      return `SAVEDATE "${formatInternalDate(facts!.savedDate)}"`
    case 'threadId': {
      const thread = threadIdOf(summary!)
      return thread === null ? 'THREADID NIL' : `THREADID (${thread})`
    }
    case 'preview': {
      const preview = summary!.preview ?? (content && previewOf(summary!.root, content))
      return `PREVIEW ${preview === null ? 'NIL' : formatString(Buffer.from(preview).toString('latin1'))}`
    }
    default:
      return contentAttribute(wanted, message)
  }
}

type ContentItem = Extract<
  FetchItem,
  { kind: 'rfc822' | 'rfc822Header' | 'rfc822Text' | 'section' | 'binary' | 'binarySize' }
>

function contentAttribute(wanted: ContentItem, { summary, content }: OpenMessage): Chunks | null {
  switch (wanted.kind) {
    case 'rfc822':
      return ['RFC822 ', ...formatContent(content)]
    case 'rfc822Header':
      return ['RFC822.HEADER ', ...formatContent(sectionOf(HEADER, summary, content))]
    case 'rfc822Text':
      return ['RFC822.TEXT ', ...formatContent(sectionOf(TEXT, summary, content))]
    case 'section': {
      const { section, partial } = wanted
      const octets = sectionOf(section, summary, content)
      return [`${formatSection(section, partial)} `, ...formatContent(octets && partOf(octets, partial))]
    }
    case 'binary': {
      const { part, partial } = wanted
      const octets = decodedPart(part, summary, content!)
      if (octets === 'unknown') return null
      const found = octets === 'missing' ? null : partOf(octets, partial)
      return [`${formatBinarySection(part, partial)} `, ...formatBinaryContent(found)]
    }
    case 'binarySize': {
      const octets = decodedPart(wanted.part, summary, content!)
      if (octets === 'unknown') return null
      return [`BINARY.SIZE[${wanted.part.join('.')}] ${octets === 'missing' ? 0 : octets.length}`]
    }
  }
}
