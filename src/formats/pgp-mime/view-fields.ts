/** Header fields by who writes them and whom they are for. All names in lower case. */

/** RFC 9787 §1.1.2: what readers see of a header. Fields of lists and of resending are added on the way and not among them. */
export const USER_FACING: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'date',
  'subject',
  'message-id',
  'in-reply-to',
  'references',
  'comments',
  'keywords',
  'followup-to',
  'mail-followup-to',
  'mail-reply-to',
])

const TRACE: ReadonlySet<string> = new Set([
  'return-path',
  'received',
  'delivered-to',
  'x-original-to',
  'received-spf',
  'authentication-results',
  'dkim-signature',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
])

/** Said by servers, so that nothing of an author's replaces it. */
export const isTrace = (name: string): boolean => TRACE.has(name) || name.startsWith('resent-')

/** RFC 9787 §1.1.1: says how the body is read. */
export const isStructural = (name: string): boolean => name === 'mime-version' || name.startsWith('content-')
