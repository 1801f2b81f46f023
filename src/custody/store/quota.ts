import { OverQuota } from './mail-store.ts'

/** What a message costs besides its content, in octets on the disk: its row, its summary, its entry in the index. */
export const MESSAGE_COST = 1024

/** Throws OverQuota when `more` octets do not fit. Nothing more is never too much: mail can be moved and deleted when full. */
export function checkQuota(used: number, more: number, limit: number | null): void {
  if (limit !== null && more > 0 && used + more > limit) throw new OverQuota('the mailbox is full')
}
