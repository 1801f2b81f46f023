/**
 * What works, one row per capability (RFC 3501 §6.1.1). Whoever completes an extension adds its row, with its dialogs and its probe in
 * test/dialogs/imap-capability.test.ts; nothing is named here before. docs/imap.md is printed from these rows.
 */

/** When a row is told: at any time, before login (over TLS or to begin it), or after login. */
export type Shown = 'always' | 'before login' | 'before TLS' | 'with TLS' | 'after login'

export interface Capability {
  /** As clients read it. A name that ends in `=` is followed by its value. */
  readonly name: string
  readonly rfcs: readonly number[]
  readonly shown: Shown
  /** What it gives, for the page. */
  readonly gives: string
}

const row = (name: string, rfcs: number | readonly number[], shown: Shown, gives: string): Capability => ({
  name,
  rfcs: typeof rfcs === 'number' ? [rfcs] : rfcs,
  shown,
  gives,
})

const SCRAM = 'AUTH=SCRAM-SHA-256'

export const CAPABILITIES: readonly Capability[] = [
  row('IMAP4rev1', 3501, 'always', 'the protocol'),
  row('IMAP4rev2', 9051, 'always', 'its successor, for clients that enable it'),
  row('LITERAL-', 7888, 'always', 'small literals are sent without waiting'),
  row('ID', 2971, 'always', 'client and server say what they are'),
  row('ENABLE', 5161, 'always', 'a client turns on what it understands'),
  row('SASL-IR', 4959, 'before login', 'the first answer of AUTHENTICATE comes with the command'),
  row('AUTH=PLAIN', 4616, 'with TLS', 'login with a password or an app password'),
  row('AUTH=LOGIN', [], 'with TLS', 'the same, for clients that know no other way'),
  row(SCRAM, [5802, 7677], 'with TLS', 'login with an app password that is not shown, where there are such'),
  row('STARTTLS', 3501, 'before TLS', 'a plain connection becomes a secure one'),
  // RFC 3501 §6.2.3, §11.1: no password over a wire that anybody can read.
  row('LOGINDISABLED', 3501, 'before TLS', 'no password before TLS'),
  row('IDLE', 2177, 'after login', 'news at once while the client waits'),
  row('NAMESPACE', 2342, 'after login', 'where mailboxes are'),
  row('UIDPLUS', 4315, 'after login', 'UIDs of what was appended or copied; EXPUNGE of some messages'),
  row('MULTIAPPEND', 3502, 'after login', 'several messages are appended together, all or none'),
  row('CATENATE', 4469, 'after login', 'messages are put together from parts of others'),
  row('UTF8=ACCEPT', 6855, 'after login', 'names of mailboxes, and headers, in UTF-8'),
  row('BINARY', 3516, 'after login', 'parts with their transfer encoding undone'),
  row('PREVIEW', 8970, 'after login', 'the first words of messages'),
  row('OBJECTID', 8474, 'after login', 'ids that copies, conversations and renamed mailboxes keep'),
  row('SAVEDATE', 8514, 'after login', 'when messages came into their mailbox'),
  row('MOVE', 6851, 'after login', 'messages move in one step'),
  row('CONDSTORE', 7162, 'after login', 'what changed since, and changes only of what nobody else changed'),
  row('QRESYNC', 7162, 'after login', 'a client that comes back hears only what happened meanwhile'),
  row('UIDONLY', 9586, 'after login', 'messages without numbers'),
  row('UNSELECT', 3691, 'after login', 'a mailbox is left without removing anything'),
  row('CHILDREN', 3348, 'after login', 'whether there are mailboxes below'),
  row('ESEARCH', 4731, 'after login', 'answers of SEARCH in short: the first, the last, how many'),
  row('SEARCHRES', 5182, 'after login', 'what a SEARCH found stands for the messages of later commands'),
  row('SORT', 5256, 'after login', 'SEARCH with its answer in the order of some fields'),
  row('SORT=DISPLAY', 5957, 'after login', 'in the order of the names that are shown'),
  row('ESORT', 5267, 'after login', 'answers of SORT in short'),
  row('THREAD=REFERENCES', 5256, 'after login', 'conversations, by what messages answer'),
  row('THREAD=ORDEREDSUBJECT', 5256, 'after login', 'conversations, by subject alone'),
  row('PARTIAL', 9394, 'after login', 'a page of what was found, and of what is fetched'),
  row('WITHIN', 5032, 'after login', 'SEARCH for messages older or younger than some seconds'),
  row('SPECIAL-USE', 6154, 'after login', 'which mailbox is for sent mail, drafts, junk ...'),
  row('CREATE-SPECIAL-USE', 6154, 'after login', 'a new mailbox for one of these uses'),
  row('LIST-EXTENDED', 5258, 'after login', 'LIST with several patterns, subscriptions and children'),
  row('STATUS=SIZE', 8438, 'after login', 'how large a mailbox is, without listing it'),
  row('APPENDLIMIT=', 7889, 'after login', 'the largest message that is taken, in octets'),
  row('COMPRESS=DEFLATE', 4978, 'after login', 'what travels is compressed'),
  row('NOTIFY', 5465, 'after login', 'news of all mailboxes that a client names, at any time'),
  row('METADATA', 5464, 'after login', 'notes of clients about mailboxes and the server, kept sealed'),
  row('QUOTA', 9208, 'after login', 'the room of the account'),
  row('QUOTA=RES-STORAGE', 9208, 'after login', 'how much of it is used, and what an EXPUNGE would free'),
  row('LIST-STATUS', 5819, 'after login', 'STATUS of all mailboxes in one LIST'),
]

export interface CapabilityState {
  readonly secure: boolean
  readonly loggedIn: boolean
  /** App passwords may be used by SCRAM. */
  readonly scram: boolean
  /** Octets. */
  readonly appendLimit: number
}

/** The capabilities of a connection in this state, with blanks between. */
export function capabilities({ secure, loggedIn, scram, appendLimit }: CapabilityState): string {
  const before: Shown = secure ? 'with TLS' : 'before TLS'
  const isShown = ({ shown }: Capability) =>
    shown === 'always' || (loggedIn ? shown === 'after login' : shown === 'before login' || shown === before)
  return CAPABILITIES.filter((one) => isShown(one) && (scram || one.name !== SCRAM))
    .map(({ name }) => (name === 'APPENDLIMIT=' ? name + appendLimit : name))
    .join(' ')
}
