import type { Coverage, Indexing } from '#custody/store/mail-store.ts'

const grouped = (count: number): string => count.toLocaleString('en')

/** Such as `61% sealed to the current key, 3,402 waiting`. All is 100%; nearly all is 99%. */
export function coverageText({ contents, current, waiting, unreadable, state }: Coverage): string {
  if (contents === 0) return 'no mail yet'
  return [
    `${Math.floor((current * 100) / contents)}% sealed to the current key`,
    ...(waiting > 0 ? [`${grouped(waiting)} waiting`] : []),
    ...(unreadable > 0 ? [`${grouped(unreadable)} that no key of the account opens`] : []),
    ...(state === 'paused' ? ['re-sealing is paused'] : []),
    ...(state === 'running' ? ['re-sealing goes on while the owner is logged in'] : []),
  ].join(', ')
}

/** How far the index of summaries is, such as `812 of 10,000 messages, 9,188 to do while the owner is logged in`. */
export function summariesText({ messages, waiting }: Indexing): string {
  return progressText(messages, messages - waiting)
}

/** The same of texts. */
export function textsText({ messages, indexed }: Indexing): string {
  return progressText(messages, indexed)
}

function progressText(messages: number, done: number): string {
  const left = messages - done
  return `${grouped(done)} of ${grouped(messages)} messages${left > 0 ? `, ${grouped(left)} to do while the owner is logged in` : ''}`
}
