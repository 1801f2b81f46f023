/** Keys of the owner's own. */
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { Stretcher } from './stretcher.ts'

export async function importKey(
  _request: RequestOf<'importKey'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'importKey'>> {
  throw new Error('not built')
}

export async function setEndToEnd(
  _request: RequestOf<'setEndToEnd'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'setEndToEnd'>> {
  throw new Error('not built')
}
