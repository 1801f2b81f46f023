import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { enabledByName } from '../enabled.ts'

/** RFC 5161 §3.1: what is not known is passed over in silence; what is enabled is named, also where using it had enabled it before. */
export async function enable(talk: Conversation, { capabilities }: Command & { kind: 'enable' }): Promise<Completion> {
  const told = new Set<string>()
  for (const name of capabilities) {
    const found = enabledByName(name)
    if (found === null) continue
    // RFC 7162 §3.2.3: QRESYNC cannot be had without CONDSTORE.
    if (found === 'CONDSTORE' || found === 'QRESYNC') talk.enableCondstore()
    talk.enabled.add(found)
    told.add(found)
  }
  if (talk.utf8) talk.input.readUtf8()
  talk.untagged(['ENABLED', ...told].join(' '))
  return done('Enabled')
}
