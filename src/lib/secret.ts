import { inspect } from 'node:util'

/**
 * A value that must never be printed: whatever turns it into text (JSON, template, console, log) gets "[secret]".
 * Only `reveal()` gives it out, so every use can be found by name. Bytes are kept as given, to be wiped by their owner.
 */
export class Secret<T> {
  readonly #value: T
  constructor(value: T) {
    this.#value = value
  }
  reveal(): T {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}
