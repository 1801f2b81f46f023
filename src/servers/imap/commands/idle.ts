import { ConnectionOver } from '#servers/line/connection-over.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'

const TELLING = { expunge: true, uid: false } as const

/** RFC 2177: tells what happens when it happens, until the client says DONE. */
export async function idle(talk: Conversation): Promise<Completion> {
  const { wire } = talk
  // With NOTIFY, what was asked for is told whether or not the client is in IDLE.
  const selected = talk.notifier ? null : talk.selected
  wire.send('+ Waiting for news\r\n')
  await wire.flush()
  let over = false
  let wake = () => {}
  const line = talk.input.line().finally(() => {
    over = true
    wake()
  })
  if (selected) selected.onChange = () => wake()
  talk.notifier?.resume(true)
  // What came between the last command and this one is news too.
  await talk.tellNews(TELLING, true)
  while (!over) {
    await wire.flush().catch(() => {})
    if (!over && !selected?.changed) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (!over) await talk.tellNews(TELLING)
  }
  if (selected) selected.onChange = () => {}
  await talk.notifier?.pause()
  const said = await line
  if (said === null) throw new ConnectionOver()
  if (said.toString('latin1').toUpperCase() !== 'DONE') throw bad('Only DONE ends IDLE')
  return done('No longer waiting')
}
