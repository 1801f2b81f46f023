/**
 * Threads of messages (RFC 5256 §3): REFERENCES from what messages say they answer, ORDEREDSUBJECT from their subjects alone. Nothing
 * here recurses, so that threads may be as deep as they come. What grows with the mailbox is done in steps (Steps), between which others may
 * have their turn.
 */

/** To be driven to its end, which is what was made. */
export type Steps<T> = Generator<void, T, void>

export interface ThreadMessage {
  /** What it is called in the answer; rises with the order of the mailbox. */
  readonly number: number
  /** Milliseconds since the epoch (RFC 5256 §2.2). */
  readonly sent: number
  /** Without angle brackets. */
  readonly id: string | null
  /** Those that it answers, the oldest first. */
  readonly references: readonly string[]
  /** The base subject, collated (base-subject.ts, collation.ts). */
  readonly subject: string
  readonly isReply: boolean
}

export interface ThreadNode {
  /** null stands for a message that is not there: only at the top, and with two children at least. */
  readonly message: ThreadMessage | null
  readonly children: readonly ThreadNode[]
}

interface Container {
  message: ThreadMessage | null
  parent: Container | null
  /** Something was put below it once: it may be above what it is put below. */
  isParent: boolean
  children: Container[]
}

/** Steps up the tree in search of loops, for all messages together; links beyond it that might make a loop are not made. */
const LOOP_STEPS = 20_000_000

const container = (message: ThreadMessage | null = null): Container => ({
  message,
  parent: null,
  isParent: false,
  children: [],
})

/** Containers between two steps. */
const STRIDE = 512

/** `messages` ascend by number. */
export function* threadByReferences(messages: readonly ThreadMessage[]): Steps<readonly ThreadNode[]> {
  const roots = yield* gathered(yield* linked(messages))
  yield* sortSiblings(roots)
  const threads = mergeSubjects(roots)
  yield
  yield* sortSiblings(threads)
  return threads
}

// Step 1.
function* linked(messages: readonly ThreadMessage[]): Steps<readonly Container[]> {
  const all: Container[] = []
  const byId = new Map<string, Container>()
  let steps = LOOP_STEPS
  const named = (id: string): Container => {
    const known = byId.get(id)
    if (known) return known
    const made = container()
    byId.set(id, made)
    all.push(made)
    return made
  }
  const isAbove = (child: Container, parent: Container): boolean => {
    if (child === parent) return true
    if (!child.isParent) return false
    for (let one: Container | null = parent; one; one = one.parent) if (one === child || --steps < 0) return true
    return false
  }
  const link = (child: Container, parent: Container): void => {
    if (isAbove(child, parent)) return
    child.parent = parent
    parent.isParent = true
  }
  let told = 0
  for (const message of messages) {
    if (all.length - told >= STRIDE) {
      told = all.length
      yield
    }
    let last: Container | null = null
    for (const id of message.references) {
      const next = named(id)
      if (last && !next.parent) link(next, last)
      last = next
    }
    let own = message.id === null ? null : named(message.id)
    if (own === null || own.message) {
      // Without an id, or with that of another message, it is nobody's parent.
      own = container()
      all.push(own)
    }
    own.message = message
    // What it says itself of its parent is truer than what others said.
    own.parent = null
    if (last) link(own, last)
  }
  return all
}

// Steps 2 and 3: those without a parent, with empty ones taken out.
function* gathered(all: readonly Container[]): Steps<Container[]> {
  const roots: Container[] = []
  for (const [at, one] of all.entries()) {
    if (at % STRIDE === 0) yield
    ;(one.parent?.children ?? roots).push(one)
  }
  for (const [at, one] of all.entries()) {
    if (at % STRIDE === 0) yield
    if (one.message) one.children = messagesAmong(one.children)
  }
  return roots.flatMap((root) => {
    if (root.message) return [root]
    root.children = messagesAmong(root.children)
    return root.children.length > 1 ? [root] : root.children
  })
}

/** With the nearest messages below an empty one in its place. */
function messagesAmong(children: readonly Container[]): Container[] {
  const found: Container[] = []
  const open = [...children]
  for (let one = open.pop(); one; one = open.pop()) {
    if (one.message) found.push(one)
    else for (const child of one.children) open.push(child)
  }
  return found
}

/** The message that stands for a thread: its root or, where that is not there, its first child. */
const leading = ({ message, children }: ThreadNode): ThreadMessage => message ?? children[0]!.message!

function byDate(a: ThreadNode, b: ThreadNode): number {
  const [one, other] = [leading(a), leading(b)]
  return one.sent - other.sent || one.number - other.number
}

// Steps 4 and 6. Those below first: an empty root is dated by its first child.
function* sortSiblings(roots: Container[]): Steps<void> {
  const open = [...roots]
  let sorted = 0
  for (let one = open.pop(); one; one = open.pop()) {
    if (++sorted % STRIDE === 0) yield
    one.children.sort(byDate)
    for (const child of one.children) open.push(child)
  }
  roots.sort(byDate)
}

// Step 5: threads of one subject become one.
function mergeSubjects(roots: readonly Container[]): Container[] {
  const table = new Map<string, Container>()
  for (const root of roots) {
    const { subject, isReply } = leading(root)
    if (subject === '') continue
    const known = table.get(subject)
    const isBetter = known?.message && (!root.message || (known.message.isReply && !isReply))
    if (!known || isBetter) table.set(subject, root)
  }
  const threads = new Set(roots)
  for (const root of roots) {
    const { subject } = leading(root)
    const known = table.get(subject)
    if (!known || known === root) continue
    threads.delete(root)
    if (!known.message) known.children.push(...(root.message ? [root] : root.children))
    else if (root.message?.isReply && !known.message.isReply) known.children.push(root)
    else {
      const empty = container()
      empty.children = [known, root]
      threads.delete(known)
      threads.add(empty)
      table.set(subject, empty)
    }
  }
  return [...threads]
}

/** `messages` ascend by number. */
export function* threadBySubject(messages: readonly ThreadMessage[]): Steps<readonly ThreadNode[]> {
  const groups = new Map<string, ThreadMessage[]>()
  for (const message of messages) {
    const group = groups.get(message.subject)
    if (group) group.push(message)
    else groups.set(message.subject, [message])
  }
  yield
  const threads = [...groups.values()].map((group): ThreadNode => {
    const [first, ...others] = group.sort((a, b) => a.sent - b.sent || a.number - b.number)
    return { message: first!, children: others.map((message) => ({ message, children: [] })) }
  })
  yield
  return threads.sort(byDate)
}
