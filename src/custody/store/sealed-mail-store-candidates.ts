import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { isClosed } from './sealed-mail-store-kept.ts'
import { decodeEntry } from './summary-entry.ts'

/** As the summaries of all multiparts have it (formats/message/summary.ts). */
const MULTIPART = Buffer.from('"multipart","')
const PROTECTED = ['"multipart","encrypted"', '"multipart","signed"'].map((text) => Buffer.from(text))

/** Whether it is worth loading the code that unseals. Cheap, because all mail is asked; where it says no there is nothing to do. */
export function mayNeedUnsealing(entry: Bytes): boolean {
  const decoded = decodeEntry(entry)
  if (!decoded) return false
  if (decoded.protection) return decoded.kept !== null && isClosed(decoded.kept)
  const summary = asBuffer(decoded.summary)
  return summary.includes(MULTIPART) && PROTECTED.some((text) => summary.includes(text))
}
