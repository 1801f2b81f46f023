/** What of a message it takes to answer with these items. */
import type { FetchItem } from '#formats/imap/fetch-item.ts'
import { isInHeader, isWhole } from './section.ts'

export interface Needs {
  readonly row?: boolean
  readonly facts?: boolean
  readonly summary: boolean
  /** 'header': only where the summary has not kept the header; 'preview': only where it has none. */
  readonly content: boolean | 'header' | 'preview'
}

const NOTHING: Required<Needs> = { row: false, facts: false, summary: false, content: false }
const ROW: Required<Needs> = { ...NOTHING, row: true }
const FACTS: Required<Needs> = { ...NOTHING, facts: true }
const SUMMARY: Required<Needs> = { ...NOTHING, summary: true }
const CONTENT: Required<Needs> = { ...NOTHING, content: true }
const PART: Required<Needs> = { ...SUMMARY, content: true }
const HEADER: Required<Needs> = { ...SUMMARY, content: 'header' }
const PREVIEW: Required<Needs> = { ...SUMMARY, content: 'preview' }

export function needsOf(items: readonly FetchItem[]): Required<Needs> {
  const needs = items.map(needsOfItem)
  const contents = new Set(needs.map(({ content }) => content))
  // Who wants both where the summary has neither is rare: then the content is read.
  const sometimes = contents.has('header') ? (contents.has('preview') ? true : 'header') : 'preview'
  return {
    row: needs.some(({ row }) => row),
    facts: needs.some(({ facts }) => facts),
    summary: needs.some(({ summary }) => summary),
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
    case 'envelope':
    case 'size':
    case 'body':
    case 'bodyStructure':
    case 'threadId':
      return SUMMARY
    case 'preview':
      return item.lazy ? SUMMARY : PREVIEW
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
