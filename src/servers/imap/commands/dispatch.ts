/** Which command may come when (RFC 3501 §3, §6), and who does it. */
import type { Command } from '#formats/imap/command.ts'
import type { Completion } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'
import { uidRequired } from '../message-set.ts'
import { append } from './append.ts'
import { authenticate } from './authenticate.ts'
import { capability } from './capability.ts'
import { close, unselect } from './close.ts'
import { copy } from './copy.ts'
import { create } from './create.ts'
import { deleteMailbox } from './delete.ts'
import { enable } from './enable.ts'
import { expunge, uidExpunge } from './expunge.ts'
import { fetch } from './fetch.ts'
import { id } from './id.ts'
import { idle } from './idle.ts'
import { list } from './list.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { lsub } from './lsub.ts'
import { namespace } from './namespace.ts'
import { noop } from './noop.ts'
import { rename } from './rename.ts'
import { select } from './select.ts'
import { starttls } from './starttls.ts'
import { status } from './status.ts'
import { store } from './store.ts'
import { subscribe } from './subscribe.ts'

type Kind = Command['kind']
type State = 'always' | 'before login' | 'logged in' | 'selected'
type Run<K extends Kind> = (talk: Conversation, command: Command & { readonly kind: K }) => Promise<Completion>

const COMMANDS: { readonly [K in Kind]: readonly [State, Run<K>] } = {
  capability: ['always', capability],
  noop: ['always', noop],
  logout: ['always', logout],
  id: ['always', id],
  starttls: ['before login', starttls],
  authenticate: ['before login', authenticate],
  login: ['before login', login],
  enable: ['logged in', enable],
  namespace: ['logged in', namespace],
  select: ['logged in', select],
  examine: ['logged in', select],
  create: ['logged in', create],
  delete: ['logged in', deleteMailbox],
  rename: ['logged in', rename],
  subscribe: ['logged in', subscribe],
  unsubscribe: ['logged in', subscribe],
  list: ['logged in', list],
  lsub: ['logged in', lsub],
  status: ['logged in', status],
  append: ['logged in', append],
  idle: ['logged in', idle],
  check: ['selected', noop],
  close: ['selected', close],
  unselect: ['selected', unselect],
  expunge: ['selected', expunge],
  uidExpunge: ['selected', uidExpunge],
  search: ['selected', later(async () => (await import('./search.ts')).search)],
  fetch: ['selected', fetch],
  store: ['selected', store],
  copy: ['selected', copy],
  move: ['selected', copy],
  sort: ['selected', later(async () => (await import('./sort.ts')).sort)],
  thread: ['selected', later(async () => (await import('./thread.ts')).thread)],
  notify: ['logged in', later(async () => (await import('./notify.ts')).notify)],
  getMetadata: ['logged in', later(async () => (await import('./metadata.ts')).getMetadata)],
  setMetadata: ['logged in', later(async () => (await import('./metadata.ts')).setMetadata)],
  getQuota: ['logged in', later(async () => (await import('./quota.ts')).getQuota)],
  getQuotaRoot: ['logged in', later(async () => (await import('./quota.ts')).getQuotaRoot)],
  setQuota: ['logged in', later(async () => (await import('./quota.ts')).setQuota)],
  compress: ['logged in', later(async () => (await import('./compress.ts')).compress)],
}

/** Loaded when first asked for: a server whose clients do not use it does without. */
function later<K extends Kind>(load: () => Promise<Run<K>>): Run<K> {
  return async (talk, command) => (await load())(talk, command)
}

/** Throws BAD for a command that does not belong here, and what the command itself throws. */
export async function perform(talk: Conversation, command: Command): Promise<Completion> {
  const [state, run] = COMMANDS[command.kind]
  if (state === 'before login' && talk.user) throw bad('You are logged in already')
  if ((state === 'logged in' || state === 'selected') && !talk.user) throw bad('Log in first')
  if (state === 'selected' && !talk.selected) throw bad('Select a mailbox first')
  // RFC 9586 §3.1
  if ('uid' in command && !command.uid && talk.enabled.has('UIDONLY')) throw uidRequired()
  // The table pairs every kind with its own runner; the compiler cannot follow that through the index.
  return (run as Run<Kind>)(talk, command)
}
