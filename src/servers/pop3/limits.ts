import { defaultLineLimits, type LineLimits } from '#servers/line/limits.ts'

/** Connections of one account log in at the same time, and only one of them gets the mail. */
export type Pop3Limits = LineLimits

export const defaultPop3Limits: Pop3Limits = {
  ...defaultLineLimits,
  // At least ten minutes (RFC 1939 §3).
  autologout: 10 * 60_000,
}
