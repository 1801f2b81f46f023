import type { Entry } from './tree.ts'

/** Attributes of a name (RFC 5258 §3, RFC 6154 §2). */
export function attributesOf(
  { mailbox, children, subscribed }: Entry,
  { withSubscribed, absent = '\\NonExistent' }: { withSubscribed: boolean; absent?: '\\NonExistent' | '\\Noselect' },
): string[] {
  const attributes: string[] = []
  if (!mailbox) attributes.push(absent)
  // RFC 3348 §3: whether somebody asked or not.
  attributes.push(children ? '\\HasChildren' : '\\HasNoChildren')
  if (withSubscribed && subscribed) attributes.push('\\Subscribed')
  if (mailbox?.specialUse) attributes.push(`\\${mailbox.specialUse}`)
  return attributes
}
