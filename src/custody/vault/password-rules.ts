import type { Bytes } from '#lib/bytes.ts'
import { PASSWORD_OCTETS_MIN } from './protocol/protocol.ts'

/** The new password or passphrase is too short. */
export class WeakPassword extends Error {
  override readonly name = 'WeakPassword'
}

export function checkNewPassword(password: Bytes): void {
  if (password.byteLength < PASSWORD_OCTETS_MIN) throw new WeakPassword('too short')
}
