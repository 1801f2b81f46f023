import type { Notice } from '#agents/notices/notices.ts'
import type { EscrowOpening } from '#custody/vault/protocol/slot-table.ts'
import { day } from './output.ts'

/** What the owner finds in the mailbox. */
export function openingNotice(address: string, ticket: string, { at, master }: EscrowOpening): Notice {
  return {
    key: `escrow.${at}`,
    subject: 'Your mailbox was opened with the escrow key',
    text: [
      `On ${day(at)} a new recovery code for ${address} was made with the`,
      'escrow key of your provider, to which you agreed. Whoever has that code can',
      'set a new password and read all your mail.',
      '',
      'The reason that was given:',
      '',
      `  ${ticket}`,
      '',
      `Escrow key: ${master}`,
      '',
      'If you did not ask for it, ask your provider about it. The code ends as soon',
      'as you change your password:',
      '',
      `  letterlock account password ${address}`,
      '',
      'To see every opening, and to take your consent back:',
      '',
      `  letterlock escrow status ${address}`,
      `  letterlock escrow opt-out ${address}`,
    ].join('\n'),
  }
}
