/** A new generation of an account: new AMK, and usually a new key. */
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { Stretcher } from './stretcher.ts'

export async function rotate(_request: RequestOf<'rotate'>, _stretcher: Stretcher): Promise<AnswerOf<'rotate'>> {
  throw new Error('not built')
}

export async function revokeKey(
  _request: RequestOf<'revokeKey'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'revokeKey'>> {
  throw new Error('not built')
}
