import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { enabledByName } from '../enabled.ts'

/** RFC 5161: what is not known is passed over in silence, and what was enabled before is not named again. */
export async function enable(talk: Conversation, { capabilities }: Command & { kind: 'enable' }): Promise<Completion> {
  const told: string[] = []
  for (const name of capabilities) {
    const found = enabledByName(name)
    if (found === null || talk.enabled.has(found)) continue
    // RFC 7162 §3.2.3: QRESYNC cannot be had without CONDSTORE.
    if (found === 'CONDSTORE' || found === 'QRESYNC') talk.enableCondstore()
    talk.enabled.add(found)
    told.push(found)
  }
  if (talk.utf8) talk.input.readUtf8()
  talk.untagged(['ENABLED', ...told].join(' '))
  return done('Enabled')
}
