/** What a message itself asks for, in the field Letterlock-Encrypt. */
import { fieldValues, type Header } from '#formats/message/header.ts'
import type { Bytes } from '#lib/bytes.ts'
import { DEMAND_FIELD, DEMANDS, type Demand } from './e2e.ts'

/** Lower case: fields whose names begin so are between the author and this provider, and never travel. */
const OURS = 'letterlock-'

/** Takes the lower-case name of a field. */
export const isBetweenUs = (name: string): boolean => name.startsWith(OURS)

/** `automatic` for a message that asks for nothing; null when there are several fields, or what it asks for is not known. */
export function demandOf(content: Bytes, header: Header): Demand | null {
  const values = fieldValues(content, header, DEMAND_FIELD.toLowerCase())
  if (values.length === 0) return 'automatic'
  const asked = values.length === 1 ? values[0]!.toLowerCase() : ''
  return DEMANDS.find((demand) => demand === asked) ?? null
}
