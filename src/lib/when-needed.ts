import { once } from './once.ts'

/** Opened when it is needed first, for all who need it, and closed for good with this; what could not be opened is tried again by the next. */
export class WhenNeeded<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #opened: () => Promise<T>
  #last: Promise<T> | null = null
  #isClosed = false

  constructor(open: () => Promise<T>) {
    this.#opened = once(() => {
      this.#last = open()
      return this.#last
    })
  }

  async get(): Promise<T> {
    if (this.#isClosed) throw new Error('this program is stopping')
    return await this.#opened()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const opened = await this.#last?.catch(() => null)
    await opened?.[Symbol.asyncDispose]()
  }
}
