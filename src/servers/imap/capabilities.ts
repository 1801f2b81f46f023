/** What works, by state (RFC 3501 §6.1.1). Nothing is named here before it is complete. */

const ALWAYS = ['IMAP4rev1', 'LITERAL-', 'ID', 'ENABLE']
const AFTER_LOGIN = [
  ...['IDLE', 'NAMESPACE', 'UIDPLUS', 'MOVE', 'UNSELECT', 'CHILDREN', 'ESEARCH', 'WITHIN'],
  ...['SPECIAL-USE', 'CREATE-SPECIAL-USE', 'LIST-EXTENDED', 'LIST-STATUS'],
]

export interface CapabilityState {
  readonly secure: boolean
  readonly loggedIn: boolean
}

export function capabilities({ secure, loggedIn }: CapabilityState): string {
  if (loggedIn) return [...ALWAYS, ...AFTER_LOGIN].join(' ')
  // RFC 3501 §6.2.3, §11.1: no password over a wire that anybody can read.
  return [...ALWAYS, 'SASL-IR', ...(secure ? ['AUTH=PLAIN'] : ['STARTTLS', 'LOGINDISABLED'])].join(' ')
}
