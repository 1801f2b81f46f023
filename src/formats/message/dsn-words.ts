/** What a delivery status notification says to people: who, why, and what they can do. */
import { formatAddress } from './address.ts'
import { formatDate } from './date.ts'
import { type DsnAction, type DsnFacts, type DsnRecipient, statusOf } from './dsn-facts.ts'

/** The worst news first: it also names the whole notification. */
const ACTIONS: readonly DsnAction[] = ['failed', 'delayed', 'relayed', 'delivered', 'expanded']

const SUBJECTS: Record<DsnAction, string> = {
  failed: 'Your message could not be delivered',
  delayed: 'Your message is delayed',
  relayed: 'Your message was handed on',
  delivered: 'Your message was delivered',
  expanded: 'Your message was delivered to a list',
}

const OPENINGS: Record<DsnAction, string> = {
  failed: 'It could not be delivered to:',
  delayed: 'It could not be delivered yet to:',
  relayed: 'It was handed on to a server that does not report further, for:',
  delivered: 'It was delivered to:',
  expanded: 'It was delivered to the members of:',
}

const CLOSINGS: Record<DsnAction, string> = {
  failed: 'Nobody will try again. If the message still matters, please send it again once the cause is gone.',
  delayed: 'We keep trying; you need not do anything. If it fails for good, we will tell you.',
  relayed: '',
  delivered: '',
  expanded: '',
}

export function reportSubject(recipients: readonly DsnRecipient[]): string {
  const worst = ACTIONS.find((action) => recipients.some((recipient) => recipient.action === action))
  return SUBJECTS[worst ?? 'failed']
}

/** Plain text in lines of no special length. */
export function explainReport({ reportingMta, arrived, recipients }: DsnFacts): string {
  const paragraphs = [`This is the mail server ${reportingMta}, about your message of ${formatDate(arrived)}.`]
  for (const action of ACTIONS) {
    const concerned = recipients.filter((recipient) => recipient.action === action)
    if (concerned.length === 0) continue
    paragraphs.push(OPENINGS[action], ...concerned.map(explainRecipient))
    if (CLOSINGS[action] !== '') paragraphs.push(CLOSINGS[action])
  }
  paragraphs.push('The technical details and the beginning of your message, or all of it, are attached.')
  return paragraphs.join('\n\n')
}

function explainRecipient(recipient: DsnRecipient): string {
  const { address, action, remote, diagnostic, retryUntil } = recipient
  const lines = [`  ${printable(formatAddress(address))}`]
  if (diagnostic.length > 0 && (action === 'failed' || action === 'delayed')) {
    lines.push(
      `    ${remote === null ? 'The reason' : `${printable(remote)} answered`}: ${printable(diagnostic.join(' '))}`,
    )
  }
  const advice = adviceFor(recipient)
  if (advice !== null) lines.push(`    ${advice}`)
  if (action === 'delayed' && retryUntil !== null) lines.push(`    We keep trying until ${formatDate(retryUntil)}.`)
  return lines.join('\n')
}

/** By subject and detail of the status (RFC 3463 §3), whatever its class. */
const ADVICE = new Map<string, string>([
  ['1.1', 'There is no such mailbox. Check the address for mistakes, also the part before the @.'],
  ['1.2', 'There is no such domain, or it takes no mail. Check the part of the address after the @.'],
  ['1.3', 'The address is not written as the other side expects it. Check it for mistakes.'],
  ['1.6', 'The mailbox has moved and left no new address.'],
  ['1.10', 'This domain says that it takes no mail at all. Check the part of the address after the @.'],
  ['2.1', 'The mailbox is closed at the moment.'],
  ['2.2', 'The mailbox is full. The recipient must make room first; tell them in another way.'],
  ['2.3', 'The message is too large for this mailbox. Send it without attachments, or in pieces.'],
  ['3.4', 'The message is too large for the other side. Send it without attachments, or in pieces.'],
  ['4.7', 'It could not be handed on in all the time that we tried.'],
  ['6.7', 'The other side cannot take addresses with letters beyond ASCII. Use another address of the recipient.'],
  ['7.10', 'The connection was not as secure as this message demands, so it was not sent.'],
  ['7.30', 'The other side does not promise the secure transport that this message demands, so it was not sent.'],
])

const ADVICE_BY_SUBJECT = new Map<string, string>([
  ['4', 'The other side cannot be reached at the moment.'],
  ['6', 'The other side cannot handle how the message is written.'],
  ['7', 'The other side refuses the message by its own rules. Ask the recipient or their provider in another way.'],
])

/** Where we decided ourselves, nobody on the other side can help. */
const OWN_ADVICE = new Map<string, string>([
  ['7.1', 'The rules of this provider, or of your account, do not let the message leave like this.'],
  ['7.5', 'The certificate is looked up again at every try, and nothing leaves unsealed because of this.'],
])

function adviceFor(recipient: DsnRecipient): string | null {
  if (recipient.action !== 'failed' && recipient.action !== 'delayed') return null
  const [, subject, detail] = statusOf(recipient).split('.')
  const own = recipient.remote === null ? OWN_ADVICE.get(`${subject}.${detail}`) : undefined
  return own ?? ADVICE.get(`${subject}.${detail}`) ?? ADVICE_BY_SUBJECT.get(subject!) ?? null
}

const printable = (text: string) =>
  text
    .slice(0, 1_000)
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ' ')
    .toWellFormed()
