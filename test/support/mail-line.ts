/**
 * A mail client at its lowest: says octets over TLS, cut as the test wants them, and waits for what must come. For tests that
 * care how a credential travels; others use real clients.
 */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

export class MailLine implements Disposable {
  readonly #socket: TLSSocket
  #heard = ''
  #wake: () => void = () => {}

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (octets: Buffer) => {
      this.#heard += octets.toString('latin1')
      this.#wake()
    })
    socket.on('close', () => this.#wake())
    socket.on('error', () => {})
  }

  /** `ca`: a PEM text that the server's certificate is good under. */
  static async to(host: string, port: number, ca: string): Promise<MailLine> {
    const socket = connect({ host, port, ca, checkServerIdentity: () => undefined })
    await once(socket, 'secureConnect')
    return new MailLine(socket)
  }

  /** Says the pieces one after the other, each in a record of its own, and answers what came up to the wanted text. */
  async say(wanted: RegExp, ...pieces: readonly (string | Buffer)[]): Promise<string> {
    for (const piece of pieces) await new Promise((resolve) => this.#socket.write(piece, resolve))
    return this.hear(wanted)
  }

  async hear(wanted: RegExp): Promise<string> {
    for (;;) {
      const end = wanted.exec(this.#heard)
      if (end) {
        const said = this.#heard.slice(0, end.index + end[0].length)
        this.#heard = this.#heard.slice(said.length)
        return said
      }
      if (this.#socket.destroyed) throw new Error(`closed after: ${this.#heard}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
