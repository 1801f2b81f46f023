/** IMAP commands of every kind, with everything that they may have, for properties in tests. */
import fc from 'fast-check'
import type {
  AppendedMessage,
  CatenatedPiece,
  Command,
  NotifyGroup,
  NotifyMailboxes,
  QresyncParameters,
  SelectCommand,
  SortField,
  StatusAttribute,
} from '#formats/imap/command.ts'
import type { SearchReturn } from '#formats/imap/search-key.ts'
import {
  fetchItem,
  flags,
  mailbox,
  modseq,
  number,
  octets,
  PLAIN,
  plainSet,
  range,
  searchKey,
  set,
  text,
} from './arbitrary-arguments.ts'

const attributes = fc.uniqueArray(
  fc.constantFrom<StatusAttribute>(
    ...(['messages', 'recent', 'uidNext', 'uidValidity', 'unseen', 'highestModseq'] as const),
    ...(['size', 'deleted', 'deletedStorage', 'mailboxId', 'appendLimit'] as const),
  ),
  { minLength: 1 },
)
const uid = fc.boolean()

const list: fc.Arbitrary<Command> = fc
  .record(
    {
      kind: fc.constant('list'),
      reference: mailbox,
      patterns: fc.array(mailbox, { minLength: 1, maxLength: 3 }),
      select: fc.uniqueArray(fc.constantFrom('subscribed' as const, 'remote' as const, 'specialUse' as const)),
      return: fc.option(fc.uniqueArray(fc.constantFrom('subscribed' as const, 'children' as const))),
      status: fc.option(attributes),
      extended: fc.boolean(),
    } as const,
    PLAIN,
  )
  .map((one) => {
    const returned = one.status && !one.return ? [] : one.return
    const extended = one.extended || one.select.length > 0 || one.patterns.length > 1 || returned !== null
    return { ...one, return: returned, extended }
  })

const fetch: fc.Arbitrary<Command> = fc
  .record(
    {
      kind: fc.constant('fetch'),
      uid,
      set,
      items: fc.array(fetchItem, { minLength: 1, maxLength: 4 }),
      changedSince: fc.option(modseq),
      vanished: fc.boolean(),
      partial: fc.option(range),
    } as const,
    PLAIN,
  )
  .map((one) => ({
    ...one,
    vanished: one.vanished && one.uid && one.changedSince !== null,
    partial: one.uid ? one.partial : null,
  }))

const qresync: fc.Arbitrary<QresyncParameters> = fc.record(
  {
    uidValidity: number,
    modseq,
    knownUids: fc.option(plainSet),
    match: fc.option(fc.record({ sequence: plainSet, uids: plainSet }, PLAIN)),
  },
  PLAIN,
)
const select: fc.Arbitrary<SelectCommand> = fc.record(
  {
    kind: fc.constantFrom('select', 'examine'),
    mailbox,
    condstore: fc.boolean(),
    qresync: fc.option(qresync),
  } as const,
  PLAIN,
)

const piece: fc.Arbitrary<CatenatedPiece> = fc.oneof(
  fc.record({ kind: fc.constant('text'), octets } as const, PLAIN),
  fc.record({ kind: fc.constant('url'), url: text } as const, PLAIN),
)
const pieces = fc.array(piece, { minLength: 1, maxLength: 3 })
const appended: fc.Arbitrary<AppendedMessage> = fc
  .record(
    {
      flags,
      internalDate: fc.option(fc.nat().map((second) => second * 1000)),
      content: fc.oneof(octets, pieces),
      utf8: fc.boolean(),
    },
    PLAIN,
  )
  // Without a literal nothing says that it is UTF-8.
  .map((one) => ({
    ...one,
    utf8: one.utf8 && (Buffer.isBuffer(one.content) || one.content.some(({ kind }) => kind === 'text')),
  }))

const returned = fc
  .record(
    {
      return: fc.option(fc.uniqueArray(fc.constantFrom<SearchReturn>('min', 'max', 'count', 'save', 'all'))),
      partial: fc.option(range),
    },
    PLAIN,
  )
  .map((one) => ({ ...one, partial: one.return && !one.return.includes('all') ? one.partial : null }))
const charset = fc.constantFrom('UTF-8', 'US-ASCII', 'X Y')
const search: fc.Arbitrary<Command> = fc
  .record({ kind: fc.constant('search'), uid, charset: fc.option(charset), key: searchKey } as const, PLAIN)
  .chain((one) => returned.map((wanted) => ({ ...one, ...wanted })))
const criteria = fc.array(
  fc.record(
    {
      field: fc.constantFrom<SortField>(
        ...(['arrival', 'cc', 'date', 'from', 'size', 'subject', 'to', 'displayFrom', 'displayTo'] as const),
      ),
      reverse: fc.boolean(),
    },
    PLAIN,
  ),
  { minLength: 1, maxLength: 4 },
)
const sort: fc.Arbitrary<Command> = fc
  .record({ kind: fc.constant('sort'), uid, charset, key: searchKey, criteria } as const, PLAIN)
  .chain((one) => returned.map((wanted) => ({ ...one, ...wanted })))
const thread = fc.record(
  {
    kind: fc.constant('thread'),
    uid,
    algorithm: fc.constantFrom('REFERENCES', 'X-Y'),
    charset,
    key: searchKey,
  } as const,
  PLAIN,
)

const named = fc.array(mailbox, { minLength: 1, maxLength: 2 })
const notifyMailboxes: fc.Arbitrary<NotifyMailboxes> = fc.oneof(
  fc.record(
    { kind: fc.constantFrom('selected', 'selectedDelayed', 'inboxes', 'personal', 'subscribed') } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constantFrom('subtree', 'mailboxes'), names: named } as const, PLAIN),
)
const group: fc.Arbitrary<NotifyGroup> = fc
  .record(
    {
      mailboxes: notifyMailboxes,
      events: fc.uniqueArray(fc.constantFrom('MESSAGENEW', 'MESSAGEEXPUNGE', 'FLAGCHANGE', 'X-Y')),
      messageNew: fc.array(fetchItem, { maxLength: 2 }),
    },
    PLAIN,
  )
  .map((one) => ({ ...one, messageNew: one.events.includes('MESSAGENEW') ? one.messageNew : [] }))
const notify: fc.Arbitrary<Command> = fc
  .record(
    {
      kind: fc.constant('notify'),
      status: fc.boolean(),
      groups: fc.option(fc.array(group, { minLength: 1, maxLength: 3 })),
    } as const,
    PLAIN,
  )
  .map((one) => ({ ...one, status: one.status && one.groups !== null }))

const entry = text.map((name) => `/${name}`)
const metadata: fc.Arbitrary<Command> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('getMetadata'),
      mailbox,
      maxSize: fc.option(number),
      depth: fc.constantFrom('0', '1', 'infinity'),
      entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    } as const,
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('setMetadata'),
      mailbox,
      entries: fc.array(fc.tuple(entry, fc.option(octets)), { minLength: 1, maxLength: 3 }),
    } as const,
    PLAIN,
  ),
)

export const command: fc.Arbitrary<Command> = fc.oneof(
  thread,
  notify,
  metadata,
  sort,
  fc.record({ kind: fc.constantFrom('getQuota', 'setQuota'), root: text } as const, PLAIN),
  fc.record({ kind: fc.constant('getQuotaRoot'), mailbox } as const, PLAIN),
  fc.constant<Command>({ kind: 'compress', mechanism: 'DEFLATE' }),
  fc.record(
    {
      kind: fc.constantFrom(
        'capability',
        'noop',
        'logout',
        'idle',
        'close',
        'expunge',
        'unselect',
        'namespace',
        'check',
        'starttls',
      ),
    } as const,
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('authenticate'),
      mechanism: fc.constantFrom('PLAIN', 'X'),
      initialResponse: fc.option(octets),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('login'), user: octets, password: octets } as const, PLAIN),
  fc.constant<Command>({ kind: 'enable', capabilities: ['CONDSTORE', 'X-Y'].map((name) => name.toUpperCase()) }),
  select,
  fc.record({ kind: fc.constant('create'), mailbox, use: fc.subarray(['\\Sent', '\\Junk']) } as const, PLAIN),
  fc.record({ kind: fc.constantFrom('delete', 'subscribe', 'unsubscribe'), mailbox } as const, PLAIN),
  fc.record({ kind: fc.constant('rename'), from: mailbox, to: mailbox } as const, PLAIN),
  list,
  fc.record({ kind: fc.constant('lsub'), reference: mailbox, pattern: mailbox } as const, PLAIN),
  fc.record({ kind: fc.constant('status'), mailbox, attributes } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('append'),
      mailbox,
      messages: fc.array(appended, { minLength: 1, maxLength: 2 }),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('uidExpunge'), uids: set } as const, PLAIN),
  search,
  fetch,
  fc.record(
    {
      kind: fc.constant('store'),
      uid,
      set,
      mode: fc.constantFrom('replace', 'add', 'remove'),
      silent: fc.boolean(),
      flags,
      unchangedSince: fc.option(modseq),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constantFrom('copy', 'move'), uid, set, mailbox } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('id'),
      parameters: fc.option(fc.array(fc.tuple(text, fc.option(text)), { maxLength: 3 })),
    } as const,
    PLAIN,
  ),
)
