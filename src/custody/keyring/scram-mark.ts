/**
 * Whether any app password of this server can be used by SCRAM: `keys/scram`, an empty file, which the first of them leaves. A mail
 * program that is offered SCRAM often takes it for whatever password it has, and gives up when that is not an app password: where
 * nobody has one it must not be offered.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export class ScramMark {
  readonly #path: string
  #isSet = false

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'keys', 'scram')
  }

  /** Another process may have set it. A look at one name costs microseconds, and only until it is there. */
  get isSet(): boolean {
    this.#isSet ||= existsSync(this.#path)
    return this.#isSet
  }

  async set(): Promise<void> {
    if (!this.isSet) await writeFile(this.#path, '', { mode: 0o600 })
  }
}
