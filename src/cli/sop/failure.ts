/** The failures that the Stateless OpenPGP draft names, with their exit statuses (§ Failure Modes). */
import { IntegrityError, MalformedOpenPgp, UndecryptableSessionKey } from '#formats/openpgp/openpgp.ts'
import { LockedSecretKey } from '#formats/openpgp/secret-material.ts'
import { CannotSign } from '#formats/openpgp/sign.ts'

const STATUS = {
  UNSPECIFIED_FAILURE: 1,
  NO_SIGNATURE: 3,
  UNSUPPORTED_ASYMMETRIC_ALGO: 13,
  CERT_CANNOT_ENCRYPT: 17,
  MISSING_ARG: 19,
  INCOMPLETE_VERIFICATION: 23,
  CANNOT_DECRYPT: 29,
  PASSWORD_NOT_HUMAN_READABLE: 31,
  UNSUPPORTED_OPTION: 37,
  BAD_DATA: 41,
  EXPECTED_TEXT: 53,
  OUTPUT_EXISTS: 59,
  MISSING_INPUT: 61,
  KEY_IS_PROTECTED: 67,
  UNSUPPORTED_SUBCOMMAND: 69,
  UNSUPPORTED_SPECIAL_PREFIX: 71,
  AMBIGUOUS_INPUT: 73,
  KEY_CANNOT_SIGN: 79,
  INCOMPATIBLE_OPTIONS: 83,
  UNSUPPORTED_PROFILE: 89,
} as const

export type FailureName = keyof typeof STATUS

export class SopFailure extends Error {
  override readonly name = 'SopFailure'
  readonly failure: FailureName
  constructor(failure: FailureName, message: string) {
    super(message)
    this.failure = failure
  }
}

/** Which failure an error is. */
export function failureOf(error: unknown): FailureName {
  if (error instanceof SopFailure) return error.failure
  if (error instanceof LockedSecretKey) return 'KEY_IS_PROTECTED'
  if (error instanceof MalformedOpenPgp) return 'BAD_DATA'
  if (error instanceof IntegrityError || error instanceof UndecryptableSessionKey) return 'CANNOT_DECRYPT'
  if (error instanceof CannotSign) return 'KEY_CANNOT_SIGN'
  return 'UNSPECIFIED_FAILURE'
}

export function statusOf(failure: FailureName): number {
  return STATUS[failure]
}
