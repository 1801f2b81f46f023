/** The handles that this process has given out, by account, so that all of them, or those of one slot, can be ended. */
import type { AccountId } from '../accounts/directory.ts'
import { type HandleDuties, type HandleFacts, UnlockedHandle } from './unlocked-handle.ts'

export class HeldHandles {
  readonly #duties: Omit<HandleDuties, 'onEnd'>
  readonly #handles = new Map<AccountId, Set<UnlockedHandle>>()

  constructor(duties: Omit<HandleDuties, 'onEnd'>) {
    this.#duties = duties
  }

  hold(account: AccountId, facts: HandleFacts): UnlockedHandle {
    const held = this.#handles.get(account) ?? new Set()
    const onEnd = (handle: UnlockedHandle) => {
      held.delete(handle)
      if (held.size === 0 && this.#handles.get(account) === held) this.#handles.delete(account)
    }
    const handle = new UnlockedHandle(account, facts, { ...this.#duties, onEnd })
    this.#handles.set(account, held.add(handle))
    return handle
  }

  /** Without asking the vault, which ends them by itself or is gone. */
  end(account: AccountId): void {
    for (const handle of [...(this.#handles.get(account) ?? [])]) handle.end()
  }

  endAll(): void {
    for (const account of [...this.#handles.keys()]) this.end(account)
  }

  /** Those that came in by one of these slots; the others stay. */
  async endSlots(account: AccountId, slots: readonly string[]): Promise<void> {
    const held = [...(this.#handles.get(account) ?? [])].filter(({ slot }) => slots.includes(slot))
    await Promise.all(held.map((handle) => handle.endAlone()))
  }
}
