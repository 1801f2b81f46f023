/** What authors are told of mail that could not be sealed to its recipients. */
import type { Notice } from './notices.ts'

/** Mail of one author to one recipient. */
export interface UnsealedMail {
  readonly queueId: string
  readonly recipient: string
  /** Why there was no certificate. */
  readonly why: string
  /** When it was sent, in milliseconds since the epoch. */
  readonly arrived: number
}

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
const WIDTH = 76

/** Words in lines that mail programs need not break. */
function wrapped(text: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}

const paragraphs = (...texts: readonly string[]): string => texts.map(wrapped).join('\n\n')

const which = ({ queueId, arrived }: Pick<UnsealedMail, 'queueId' | 'arrived'>): string =>
  `Your message of ${time(arrived)} (queue id ${queueId})`

const POLICY =
  'Mail to people without a certificate is sent like this because that is the policy of your account or domain. A message that says "Letterlock-Encrypt: required" in its header is never sent without encryption.'

/** It waited for a certificate, and in the end there was none. */
export function leftInClearNotice(mail: UnsealedMail): Notice {
  const { queueId, recipient, why } = mail
  return {
    key: `clear.${queueId}.${recipient}`,
    subject: `Sent without encryption to ${recipient}`,
    text: paragraphs(
      `${which(mail)} waited for the certificate of ${recipient}, and in the end had to go without encryption. Your provider and theirs could read it, and whoever carried it between them.`,
      `The reason: ${why}.`,
      POLICY,
    ),
  }
}

/** There was no certificate when it was sent. One notice for the message. */
export function sentInClearNotice(mail: {
  readonly queueId: string
  readonly arrived: number
  readonly recipients: readonly Pick<UnsealedMail, 'recipient' | 'why'>[]
}): Notice {
  const { queueId, recipients } = mail
  const [only] = recipients
  const named = recipients.length === 1 ? only!.recipient : `${recipients.length} recipients`
  return {
    key: `clear.${queueId}`,
    subject: `Sent without encryption to ${named}`,
    text: paragraphs(
      `${which(mail)} was sent without encryption to ${named}. Your provider and theirs could read it, and whoever carried it between them.`,
      ...recipients.map(({ recipient, why }) => `${recipient}: ${why}.`),
      POLICY,
    ),
  }
}

export function keptForPickupNotice(mail: UnsealedMail): Notice {
  const { queueId, recipient, why } = mail
  return {
    key: `pickup.${queueId}.${recipient}`,
    subject: `Not delivered yet: kept for pickup by ${recipient}`,
    text: paragraphs(
      `${which(mail)} has not been sent to ${recipient}. It may not leave unencrypted, and there is no certificate that it could be encrypted to.`,
      `The reason: ${why}.`,
      'It is kept here, encrypted, for 30 days. The recipient has not been told of it and cannot read it yet: this version of Letterlock has no page on which they could. Please reach them in another way.',
    ),
  }
}

/** `recipient` null: it cannot be read any more who it was for. */
export function pickupExpiredNotice(mail: { id: string; recipient: string | null; arrived: number }): Notice {
  const { id, recipient, arrived } = mail
  return {
    key: `pickup-expired.${id}`,
    subject: recipient === null ? 'A message was not picked up' : `Not picked up by ${recipient}`,
    text: paragraphs(
      `Your message of ${time(arrived)}${recipient === null ? '' : ` to ${recipient}`} was kept here, encrypted, to be picked up. That did not happen within 30 days, so it has been deleted. If it still matters, please send it again, or reach the recipient in another way.`,
    ),
  }
}
