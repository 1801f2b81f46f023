/** The escrow slot. */
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { Stretcher } from './stretcher.ts'

export async function addEscrow(
  _request: RequestOf<'addEscrow'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'addEscrow'>> {
  throw new Error('not built')
}

export async function openEscrow(
  _request: RequestOf<'openEscrow'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'openEscrow'>> {
  throw new Error('not built')
}
