/**
 * Drives a Gecko program (Thunderbird) through Marionette, the remote control that is built into it: JSON messages with their length
 * in front, over TCP on loopback. Scripts run in the program's own window with all its rights, so no button has to be found.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

type Answer = readonly [
  type: 1,
  id: number,
  error: { readonly message: string; readonly stacktrace: string } | null,
  result: unknown,
]

export class Marionette implements Disposable {
  readonly #socket: Socket
  readonly #waiting = new Map<number, (answer: Answer | Error) => void>()
  #received = Buffer.alloc(0)
  #greet: () => void = () => {}
  #number = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#read()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const answered of this.#waiting.values()) answered(new Error('the program closed its remote control'))
      this.#waiting.clear()
    })
  }

  /** Connects and opens a session whose scripts run in the program's main window. */
  static async open(port: number): Promise<Marionette> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const marionette = new Marionette(socket)
    await new Promise<void>((resolve, reject) => {
      marionette.#greet = resolve
      socket.once('close', () => reject(new Error('no greeting of Marionette')))
    })
    await marionette.#command('WebDriver:NewSession', {})
    await marionette.#command('Marionette:SetContext', { value: 'chrome' })
    await marionette.#command('WebDriver:SetTimeouts', { script: 300_000 })
    return marionette
  }

  /** Runs an async function's body; `args` are its `arguments`, and what it returns must be JSON. */
  async run<T>(body: string, args: readonly unknown[] = []): Promise<T> {
    const script = `const done = arguments[arguments.length - 1];
      (async (...args) => { ${body} })(...Array.from(arguments).slice(0, -1))
        .then((value) => done({ value: value ?? null }), (error) => done({ error: String(error) + "\\n" + (error?.stack ?? "") }))`
    const { value } = (await this.#command('WebDriver:ExecuteAsyncScript', { script, args, newSandbox: false })) as {
      value: { value: T } | { error: string } | null
    }
    if (value === null) throw new Error('a dialog came up in the middle of the script')
    if ('error' in value) throw new Error(value.error)
    return value.value
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #command(name: string, parameters: object): Promise<unknown> {
    const id = ++this.#number
    const message = Buffer.from(JSON.stringify([0, id, name, parameters]))
    this.#socket.write(Buffer.concat([Buffer.from(`${message.length}:`), message]))
    const answer = await new Promise<Answer | Error>((resolve) => this.#waiting.set(id, resolve))
    if (answer instanceof Error) throw answer
    const [, , error, result] = answer
    if (error !== null) throw new Error(`${name}: ${error.message}\n${error.stacktrace}`)
    return result
  }

  #read(): void {
    for (;;) {
      const colon = this.#received.indexOf(':')
      if (colon === -1) return
      const end = colon + 1 + Number(this.#received.toString('latin1', 0, colon))
      if (this.#received.length < end) return
      const message: unknown = JSON.parse(this.#received.toString('utf8', colon + 1, end))
      this.#received = this.#received.subarray(end)
      // The first message is an object that says who speaks.
      if (!Array.isArray(message)) this.#greet()
      else {
        this.#waiting.get(message[1] as number)?.(message as unknown as Answer)
        this.#waiting.delete(message[1] as number)
      }
    }
  }
}
