/** Which keywords a mailbox's messages have, kept beside them so that nobody must look at every message to know. */
import { KEYWORDS_PER_MAILBOX } from './flags.ts'
import { type MailboxId, TooManyFlags } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'

type Given = { account: number; mailbox: number }

const insertKeyword = prepare((query, given: Given & { folded: string; name: string }) =>
  query
    .insertInto('keyword')
    .values({ account_id: given.account, mailbox_id: given.mailbox, folded: given.folded, name: given.name })
    .onConflict((conflict) => conflict.doNothing())
    .returning('name'),
)
const keywordNames = prepare((query, given: Given) =>
  query
    .selectFrom('keyword')
    .select('name')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .orderBy('folded'),
)
const keywordsInUse = prepare((query, given: Given) =>
  query
    .selectFrom('message')
    .select('keywords')
    .distinct()
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('keywords', '!=', ''),
)

/** Also some that no message has any more. */
export async function readKeywords({ query, account }: AccountScope, mailbox: MailboxId): Promise<readonly string[]> {
  return (await keywordNames(query, { account, mailbox })).map(({ name }) => name)
}

/** Messages have these keywords (`MessageTable.keywords`) now. Throws TooManyFlags. */
export async function learnKeywords(
  scope: AccountScope,
  mailbox: MailboxId,
  messages: Iterable<{ readonly keywords: string }>,
): Promise<void> {
  const { query, account } = scope
  const texts = new Set<string>()
  for (const { keywords } of messages) if (keywords !== '') texts.add(keywords)
  let isNew = false
  for (const [folded, name] of byFolded(texts))
    if ((await insertKeyword(query, { account, mailbox, folded, name })).length > 0) isNew = true
  if (isNew && (await readKeywords(scope, mailbox)).length > KEYWORDS_PER_MAILBOX) await forgetUnused(scope, mailbox)
}

function byFolded(texts: Iterable<string>): Map<string, string> {
  const found = new Map<string, string>()
  for (const text of texts)
    for (const name of text.split(' ')) {
      const folded = name.toLowerCase()
      if (!found.has(folded)) found.set(folded, name)
    }
  return found
}

async function forgetUnused({ query, account }: AccountScope, mailbox: MailboxId): Promise<void> {
  const used = byFolded((await keywordsInUse(query, { account, mailbox })).map(({ keywords }) => keywords))
  if (used.size > KEYWORDS_PER_MAILBOX)
    throw new TooManyFlags(`more than ${KEYWORDS_PER_MAILBOX} keywords in a mailbox`)
  const ofMailbox = query.deleteFrom('keyword').where('account_id', '=', account).where('mailbox_id', '=', mailbox)
  await ofMailbox.execute()
  for (const [folded, name] of used) await insertKeyword(query, { account, mailbox, folded, name })
}
