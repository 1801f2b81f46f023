/** What of a message it takes to answer with these items. */
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { isInHeader, isWhole } from './section.ts'

export interface Needs {
  readonly row?: boolean
  readonly facts?: boolean
  readonly summary: boolean
  /** Of the summary; what is not said to be needed is decoded when somebody looks at it all the same. */
  readonly envelope?: boolean
  readonly structure?: boolean
  /** 'header': only where the summary has not kept the header; 'preview': only where it has none. */
  readonly content: boolean | 'header' | 'preview'
}

const NOTHING: Required<Needs> = {
  ...{ row: false, facts: false, content: false },
  ...{ summary: false, envelope: false, structure: false },
}
const ROW: Required<Needs> = { ...NOTHING, row: true }
const FACTS: Required<Needs> = { ...NOTHING, facts: true }
const SUMMARY: Required<Needs> = { ...NOTHING, summary: true }
const ENVELOPE: Required<Needs> = { ...SUMMARY, envelope: true }
const STRUCTURE: Required<Needs> = { ...SUMMARY, structure: true }
const CONTENT: Required<Needs> = { ...NOTHING, content: true }
const PART: Required<Needs> = { ...STRUCTURE, content: true }
const HEADER: Required<Needs> = { ...SUMMARY, content: 'header' }
const PREVIEW: Required<Needs> = { ...STRUCTURE, content: 'preview' }

export function needsOf(items: readonly FetchItem[]): Required<Needs> {
  const needs = items.map(needsOfItem)
  const contents = new Set(needs.map(({ content }) => content))
  // Who wants both where the summary has neither is rare: then the content is read.
  const sometimes = contents.has('header') ? (contents.has('preview') ? true : 'header') : 'preview'
  return {
    row: needs.some(({ row }) => row),
    facts: needs.some(({ facts }) => facts),
    summary: needs.some(({ summary }) => summary),
    envelope: needs.some(({ envelope }) => envelope),
    structure: needs.some(({ structure }) => structure),
    content: contents.has(true) || (contents.has('header') || contents.has('preview') ? sometimes : false),
  }
}

function needsOfItem(item: FetchItem): Required<Needs> {
  switch (item.kind) {
    case 'uid':
      return NOTHING
    case 'flags':
    case 'internalDate':
    case 'modseq':
      return ROW
    case 'emailId':
    case 'saveDate':
      return FACTS
    case 'size':
      return SUMMARY
    case 'envelope':
    case 'threadId':
      return ENVELOPE
    case 'body':
    case 'bodyStructure':
      return STRUCTURE
    case 'preview':
      return item.lazy ? STRUCTURE : PREVIEW
    case 'rfc822':
      return CONTENT
    case 'rfc822Text':
      return PART
    case 'rfc822Header':
      return HEADER
    case 'binary':
    case 'binarySize':
      return item.part.length === 0 ? CONTENT : PART
    case 'section':
      if (isWhole(item.section)) return CONTENT
      return isInHeader(item.section) ? HEADER : PART
  }
}
