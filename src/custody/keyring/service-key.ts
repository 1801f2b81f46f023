/**
 * The server's own key, `keys/service.key`, made at the first need: what is sealed or derived under it opens no mail.
 */
import { hkdfSync } from 'node:crypto'
import { join } from 'node:path'
import { loadKeyFile } from '#lib/key-file.ts'

export class ServiceKey {
  readonly path: string
  #key: Promise<Buffer> | null = null

  constructor(dataDir: string) {
    this.path = join(dataDir, 'keys', 'service.key')
  }

  octets(): Promise<Buffer> {
    this.#key ??= loadKeyFile(this.path)
    return this.#key
  }

  /** Octets that are always the same for a name, and say nothing of it to who has not the key. */
  async derived(purpose: string, name: string, length: number): Promise<Buffer> {
    return Buffer.from(hkdfSync('sha256', await this.octets(), '', `letterlock ${purpose} 1|${name}`, length))
  }
}
