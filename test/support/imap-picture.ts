/** A mail client that keeps a picture of a mailbox from nothing but what the server tells it, as RFC 3501 and RFC 7162 want it kept. */
import assert from 'node:assert/strict'
import type { Dialog } from './dialog.ts'

interface Known {
  /** null: the client has heard that a message is there, and not yet which. */
  uid: number | null
  flags: ReadonlySet<string>
}

/** Numbers of a sequence set without `*`. */
export function numbersOf(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [first, last = first] = range.split(':').map(Number)
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index)
  })
}

export class PictureClient {
  readonly #talk: Dialog
  #messages: Known[] = []
  uidValidity = 0
  modseq = 0

  constructor(talk: Dialog) {
    this.#talk = talk
  }

  /** What the client believes: uids in order, with their flags. */
  get picture(): (readonly [uid: number, flags: string])[] {
    return this.#messages.map(({ uid, flags }) => [uid!, [...flags].sort().join(' ')])
  }

  get uids(): number[] {
    return this.#messages.map(({ uid }) => uid!)
  }

  /** Has a command done and believes what comes. Answers the tagged line. */
  async command(text: string): Promise<string> {
    const answer = await this.#exchange(text)
    // A client asks what it has got to know of.
    const first = this.#messages.findIndex(({ uid }) => uid === null)
    if (first >= 0) await this.#exchange(`FETCH ${first + 1}:${this.#messages.length} (UID FLAGS)`)
    return answer
  }

  async #exchange(text: string): Promise<string> {
    this.#talk.send(`t ${text}\r\n`)
    for (;;) {
      const line = await this.#talk.line()
      assert.ok(line !== null, `the server left after ${text}`)
      if (line.startsWith('t ')) {
        assert.doesNotMatch(line, /^t BAD/, text)
        return line
      }
      this.#hear(line)
    }
  }

  #hear(line: string): void {
    const [, number, what] = line.split(' ')
    const place = Number(number) - 1
    const code = /\[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]/.exec(line)
    if (code?.[1] === 'UIDVALIDITY') this.uidValidity = Number(code[2])
    else if (code) this.modseq = Number(code[2])
    else if (what === 'EXISTS') {
      assert.ok(Number(number) >= this.#messages.length, 'EXISTS takes nothing away')
      while (this.#messages.length < Number(number)) this.#messages.push({ uid: null, flags: new Set() })
    } else if (what === 'EXPUNGE') assert.equal(this.#messages.splice(place, 1).length, 1, line)
    else if (number === 'VANISHED') {
      // RFC 7162 §3.2.10.2: each of them is one message less, also one whose uid the client does not know yet.
      for (const gone of numbersOf(line.split(' ').at(-1)!)) {
        const known = this.#messages.findIndex(({ uid }) => uid === gone)
        const at = known >= 0 ? known : this.#messages.findIndex(({ uid }) => uid === null)
        assert.ok(at >= 0, line)
        this.#messages.splice(at, 1)
      }
    } else if (what === 'FETCH') {
      const message = this.#messages[place]
      assert.ok(message, line)
      const uid = /UID (\d+)/.exec(line)
      if (uid) {
        assert.ok(message.uid === null || message.uid === Number(uid[1]), line)
        message.uid = Number(uid[1])
      }
      const flags = /FLAGS \(([^)]*)\)/.exec(line)
      if (flags) message.flags = new Set(flags[1]!.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent'))
    }
  }

  /** A silent STORE changes what the client believes before the server answers. */
  async storeSilently(uid: number, mode: '+' | '-', flag: string): Promise<void> {
    const known = this.#messages.find((message) => message.uid === uid)
    if (known && mode === '+') known.flags = new Set([...known.flags, flag])
    else if (known) known.flags = new Set([...known.flags].filter((one) => one !== flag))
    await this.command(`UID STORE ${uid} ${mode}FLAGS.SILENT (${flag})`)
  }

  /** Comes back with what it knew, and hears what happened. The server must have QRESYNC enabled. */
  async resync(mailbox: string): Promise<void> {
    const known = this.uids
    const { uidValidity, modseq } = this
    const before = this.#messages
    this.#messages = []
    const earlier: number[] = []
    const lines: string[] = []
    const since = uidValidity === 0 ? '' : ` (QRESYNC (${uidValidity} ${modseq}))`
    this.#talk.send(`t EXAMINE ${mailbox}${since}\r\n`)
    for (let line = await this.#talk.line(); !line?.startsWith('t '); line = await this.#talk.line()) {
      if (line!.startsWith('* VANISHED (EARLIER) ')) earlier.push(...numbersOf(line!.split(' ').at(-1)!))
      else lines.push(line!)
    }
    assert.ok(
      earlier.every((uid) => !since || known.includes(uid) || uid > Math.max(0, ...known)),
      'of what was never told',
    )
    const kept = before.filter(({ uid }) => !earlier.includes(uid!))
    for (const line of lines) {
      this.#hear(line)
      // What is left of what was known comes first.
      for (const [place, message] of kept.entries())
        if (this.#messages[place]?.uid === null) this.#messages[place] = message
    }
    if (this.#messages.some(({ uid }) => uid === null)) await this.command('NOOP')
  }
}
