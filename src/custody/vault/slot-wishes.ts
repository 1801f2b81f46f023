/** What an owner asks for besides the password: app passwords, a new recovery code, a separate passphrase. */
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { Stretcher } from './stretcher.ts'

export async function addCode(_request: RequestOf<'addCode'>, _stretcher: Stretcher): Promise<AnswerOf<'addCode'>> {
  throw new Error('not built')
}

export async function dropSlots(
  _request: RequestOf<'dropSlots'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'dropSlots'>> {
  throw new Error('not built')
}

export async function setPassphrase(
  _request: RequestOf<'setPassphrase'>,
  _stretcher: Stretcher,
): Promise<AnswerOf<'setPassphrase'>> {
  throw new Error('not built')
}
