import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

const KEPT = 64

/** RFC 2971: for statistics and problem reports only. No version: it would help nobody but attackers. */
export async function id(talk: Conversation, { parameters }: Command & { kind: 'id' }): Promise<Completion> {
  const said = new Map((parameters ?? []).map(([field, value]) => [field.toLowerCase(), value]))
  const named = ['name', 'version'].map((field) => said.get(field)).filter((value) => typeof value === 'string')
  if (named.length > 0)
    talk.client = named
      .join(' ')
      .replace(/[^ -~]/g, '?')
      .slice(0, KEPT)
  talk.untagged('ID ("name" "Letterlock")')
  return done('Pleased to meet you')
}
