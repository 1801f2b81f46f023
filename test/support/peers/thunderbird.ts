/**
 * Thunderbird without a screen, driven through its remote control: scripts call the parts that its buttons call, so what goes over the
 * wire is what a person's clicks would send. Its own log of the IMAP conversation shows who said what.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Marionette } from './marionette.ts'
import { eventually, run } from './run.ts'

export interface ThunderbirdOptions {
  /** Profile, home and log are made in here. */
  readonly directory: string
  /** PEM file that its profile shall trust. */
  readonly ca: string
  /** More of what its configuration editor shows. */
  readonly preferences?: Readonly<Record<string, string | number | boolean>>
}

export interface ThunderbirdAccount {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

export interface ShownMessage {
  /** Thunderbird calls it a key; for IMAP it is the UID. */
  readonly uid: number
  readonly subject: string
  readonly author: string
  readonly octets: number
  readonly isRead: boolean
  readonly isFlagged: boolean
  readonly isAnswered: boolean
  readonly keywords: string
}

export interface Thunderbird extends AsyncDisposable {
  readonly pid: number
  addAccount(account: ThunderbirdAccount): Promise<void>
  /** Asks the server for its mailboxes, and answers their paths. */
  mailboxes(): Promise<string[]>
  /** Waits until it waits for news of the mailbox. What it is told while it does something else it does not list. */
  idling(mailbox: string): Promise<void>
  /** Opens a mailbox and waits until what is new is listed. */
  open(mailbox: string): Promise<ShownMessage[]>
  /** What it shows of the mailbox now, without asking the server. */
  shown(mailbox: string): Promise<ShownMessage[]>
  /** The source of a message. */
  read(mailbox: string, uid: number): Promise<Buffer>
  /** Fetches all messages of the mailbox for reading without the server. */
  download(mailbox: string): Promise<void>
  mark(
    mailbox: string,
    uids: readonly number[],
    change: { read?: boolean; flagged?: boolean; tag?: string },
  ): Promise<void>
  move(from: string, uids: readonly number[], to: string): Promise<void>
  copy(from: string, uids: readonly number[], to: string): Promise<void>
  /** Into the trash, as its Delete button does. */
  remove(mailbox: string, uids: readonly number[]): Promise<void>
  /** Saves a message into a mailbox, as it does with drafts and copies of what was sent. */
  save(mailbox: string, message: Buffer): Promise<void>
  /** "Search on server". */
  search(mailbox: string, where: 'Subject' | 'Sender' | 'Body', text: string): Promise<number[]>
  create(parent: string, name: string): Promise<void>
  rename(mailbox: string, name: string): Promise<void>
  /** Both sides of its IMAP conversations so far, `> ` and `< ` in front; literals and logins are not in it. */
  conversation(): Promise<string[]>
}

const preferences: Readonly<Record<string, string | number | boolean>> = {
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'datareporting.policy.dataSubmissionPolicyBypassNotification': true,
  'toolkit.telemetry.enabled': false,
  'mail.provider.enabled': false,
  'mail.shell.checkDefaultClient': false,
  'mailnews.start_page.enabled': false,
  'mailnews.start_page_override.mstone': 'ignore',
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  // A machine with loopback only counts as offline.
  'network.manage-offline-status': false,
  'offline.autoDetect': false,
  'mail.biff.on_new_window': false,
  'mail.imap.mime_parts_on_demand': false,
  // It would begin to download at any time, and be told of news meanwhile.
  'mail.server.default.autosync_offline_stores': false,
  // It writes the port that it found free into its profile.
  'marionette.port': 0,
}

/** In front of every script. */
const PRELUDE = `
  const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs")
  const server = () => MailServices.accounts.accounts.find(({ incomingServer }) => incomingServer.type === "imap").incomingServer
  const pathOf = (folder) => folder.parent?.isServer ? folder.name : pathOf(folder.parent) + "/" + folder.name
  const folderAt = (path) => {
    const found = server().rootFolder.descendants.find((folder) => pathOf(folder) === path)
    if (!found) throw new Error("no mailbox " + path)
    return found.QueryInterface(Ci.nsIMsgImapMailFolder)
  }
  const finished = (what, start) => new Promise((resolve, reject) => {
    const ended = (status) => status === 0 ? resolve() : reject(new Error(what + " ended with 0x" + status.toString(16)))
    start({
      QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener"]),
      onStartRunningUrl() {}, onStopRunningUrl(url, status) { ended(status) },
      OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { ended(status) },
      onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null }, onStopCopy(status) { ended(status) },
      OnStartCopy() {}, OnProgress() {}, SetMessageKey() {}, GetMessageId() { return null }, OnStopCopy(status) { ended(status) },
    })
  })
  // Told nothing where Thunderbird updates the mailbox just then by itself, as it does after a move: it is asked again.
  const update = async (folder) => {
    for (;;) {
      const late = new Promise((resolve) => setTimeout(() => resolve("late"), 3000))
      const told = finished("the update", (listener) => folder.updateFolderWithListener(top.msgWindow, listener))
      if (await Promise.race([told, late]) !== "late") return
    }
  }
  const headers = (folder, uids) => uids.map((uid) => folder.msgDatabase.getMsgHdrForKey(uid))
  const shown = (folder) => Array.from(folder.messages, (header) => ({
    uid: header.messageKey, subject: header.mime2DecodedSubject, author: header.mime2DecodedAuthor, octets: header.messageSize,
    isRead: header.isRead, isFlagged: header.isFlagged, isAnswered: (header.flags & Ci.nsMsgMessageFlags.Replied) !== 0,
    keywords: header.getStringProperty("keywords"),
  })).sort((a, b) => a.uid - b.uid)
`

const SCRIPTS = {
  addAccount: `
    const [{ host, port, user, password }] = args
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo)
    login.init("imap://" + host, null, "imap://" + host, user, password, "", "")
    await Services.logins.addLoginAsync(login)
    const incoming = MailServices.accounts.createIncomingServer(user, host, "imap")
    incoming.port = port
    incoming.socketType = Ci.nsMsgSocketType.SSL
    incoming.authMethod = Ci.nsMsgAuthMethod.passwordCleartext
    incoming.password = password
    const identity = MailServices.accounts.createIdentity()
    identity.email = user
    const account = MailServices.accounts.createAccount()
    account.addIdentity(identity)
    account.incomingServer = incoming
    const inbox = incoming.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox).QueryInterface(Ci.nsIMsgImapMailFolder)
    await update(inbox)`,
  mailboxes: `
    const before = new Set(server().rootFolder.descendants)
    await finished("the list", (listener) => MailServices.imap.discoverAllFolders(server().rootFolder, listener, top.msgWindow))
    return server().rootFolder.descendants.map(pathOf)`,
  open: `
    const folder = folderAt(args[0])
    await update(folder)
    return shown(folder)`,
  shown: 'return shown(folderAt(args[0]))',
  read: `
    const folder = folderAt(args[0])
    const uri = folder.getUriForMsg(headers(folder, [args[1]])[0])
    return await new Promise((resolve, reject) => {
      let octets = ""
      MailServices.messageServiceFromURI(uri).streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
        onStartRequest() {},
        onDataAvailable(request, stream, offset, count) {
          const binary = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream)
          binary.setInputStream(stream)
          octets += binary.readBytes(count)
        },
        onStopRequest(request, status) {
          if (status === 0) resolve(btoa(octets))
          else reject(new Error("the message ended with 0x" + status.toString(16)))
        },
      }, null, null, false, "", false)
    })`,
  download: `
    const folder = folderAt(args[0])
    await finished("the download", (listener) => folder.downloadAllForOffline(listener, top.msgWindow))`,
  mark: `
    const [mailbox, uids, { read, flagged, tag }] = args
    const folder = folderAt(mailbox)
    if (read !== undefined) folder.markMessagesRead(headers(folder, uids), read)
    if (flagged !== undefined) folder.markMessagesFlagged(headers(folder, uids), flagged)
    if (tag !== undefined) folder.addKeywordsToMessages(headers(folder, uids), tag)`,
  transfer: `
    const [from, uids, to, isMove] = args
    await finished("the transfer", (listener) =>
      MailServices.copy.copyMessages(folderAt(from), headers(folderAt(from), uids), folderAt(to), isMove, listener, top.msgWindow, false))`,
  remove: `
    const folder = folderAt(args[0])
    await finished("the deletion", (listener) =>
      folder.deleteMessages(headers(folder, args[1]), top.msgWindow, false, false, listener, false))`,
  save: `
    const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile)
    file.initWithPath(args[1])
    await finished("the upload", (listener) =>
      MailServices.copy.copyFileMessage(file, folderAt(args[0]), null, false, Ci.nsMsgMessageFlags.Read, "", listener, top.msgWindow))`,
  search: `
    const [mailbox, where, text] = args
    const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession)
    session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folderAt(mailbox))
    const term = session.createTerm()
    term.attrib = Ci.nsMsgSearchAttrib[where]
    const value = term.value
    value.attrib = term.attrib
    value.str = text
    term.value = value
    term.op = Ci.nsMsgSearchOp.Contains
    session.appendTerm(term)
    return await new Promise((resolve, reject) => {
      const uids = []
      session.registerListener({
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
        onNewSearch() {},
        onSearchHit(header) { uids.push(header.messageKey) },
        onSearchDone(status) { status === 0 ? resolve(uids) : reject(new Error("the search ended with 0x" + status.toString(16))) },
      })
      session.search(top.msgWindow)
    })`,
  create: `
    const parent = args[0] === "" ? server().rootFolder : folderAt(args[0])
    await finished("the new mailbox", (listener) => MailServices.imap.createFolder(parent, args[1], listener))`,
  rename: `
    const folder = folderAt(args[0])
    await finished("the renaming", (listener) => MailServices.imap.renameLeaf(folder, args[1], listener, top.msgWindow))`,
} as const

/** Starts Thunderbird with a new profile. */
export async function startThunderbird(options: ThunderbirdOptions): Promise<Thunderbird> {
  const at = (name: string) => join(options.directory, name)
  await mkdir(at('profile'), { recursive: true, mode: 0o700 })
  await run('certutil', ['-N', '-d', `sql:${at('profile')}`, '--empty-password'])
  await run('certutil', ['-A', '-n', 'provider', '-t', 'C,,', '-i', options.ca, '-d', `sql:${at('profile')}`])
  const lines = Object.entries({ ...preferences, ...options.preferences }).map(
    ([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`,
  )
  await writeFile(at('profile/user.js'), lines.join(''))
  await mkdir(at('temporary'))
  const logging = { MOZ_LOG: 'sync,IMAP:4', MOZ_LOG_FILE: at('imap.log') }
  const child = spawn(
    'thunderbird',
    ['--headless', '--marionette', '--remote-allow-system-access', '--no-remote', '--profile', at('profile')],
    {
      // Several at once would share names in the system's directory of temporary files.
      env: { PATH: process.env['PATH'], HOME: options.directory, TMPDIR: at('temporary'), ...logging },
      stdio: 'ignore',
      detached: true,
    },
  )
  const ended = once(child, 'exit')
  const stop = async () => {
    // Its own processes are in its group.
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
    await ended
  }
  try {
    const port = await eventually('Thunderbird listens', async () => {
      if (child.exitCode !== null) throw new Error(`Thunderbird ended with status ${child.exitCode}`)
      // It is there before the number is in it.
      return Number(await readFile(at('profile/MarionetteActivePort'), 'utf8').catch(() => '')) || null
    })
    return new DrivenThunderbird(await Marionette.open(port), child.pid!, options.directory, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

class DrivenThunderbird implements Thunderbird {
  readonly pid: number
  readonly #marionette: Marionette
  readonly #directory: string
  readonly #stop: () => Promise<void>
  #saved = 0

  constructor(marionette: Marionette, pid: number, directory: string, stop: () => Promise<void>) {
    this.#marionette = marionette
    this.pid = pid
    this.#directory = directory
    this.#stop = stop
  }

  #call<T>(script: keyof typeof SCRIPTS, ...args: readonly unknown[]): Promise<T> {
    return this.#marionette.run<T>(PRELUDE + SCRIPTS[script], args)
  }

  addAccount = (account: ThunderbirdAccount) => this.#call<void>('addAccount', account)
  mailboxes = () => this.#call<string[]>('mailboxes')
  open = (mailbox: string) => this.#call<ShownMessage[]>('open', mailbox)
  shown = (mailbox: string) => this.#call<ShownMessage[]>('shown', mailbox)
  download = (mailbox: string) => this.#call<void>('download', mailbox)
  mark: Thunderbird['mark'] = (mailbox, uids, change) => this.#call('mark', mailbox, uids, change)
  move: Thunderbird['move'] = (from, uids, to) => this.#call('transfer', from, uids, to, true)
  copy: Thunderbird['copy'] = (from, uids, to) => this.#call('transfer', from, uids, to, false)
  remove: Thunderbird['remove'] = (mailbox, uids) => this.#call('remove', mailbox, uids)
  search: Thunderbird['search'] = (mailbox, where, text) => this.#call('search', mailbox, where, text)
  create: Thunderbird['create'] = (parent, name) => this.#call('create', parent, name)
  rename: Thunderbird['rename'] = (mailbox, name) => this.#call('rename', mailbox, name)

  async read(mailbox: string, uid: number): Promise<Buffer> {
    const source = Buffer.from(await this.#call<string>('read', mailbox, uid), 'base64')
    // What it has downloaded before comes with its own notes on top.
    const notes = /^(X-Mozilla-\w+: [^\n]*\n)+/.exec(source.toString('latin1', 0, 1000))?.[0].length ?? 0
    return source.subarray(notes)
  }

  async save(mailbox: string, message: Buffer): Promise<void> {
    const file = join(this.#directory, `saved-${++this.#saved}.eml`)
    await writeFile(file, message)
    await this.#call('save', mailbox, file)
  }

  async idling(mailbox: string): Promise<void> {
    await eventually(`Thunderbird waits for news of ${mailbox}`, async () => {
      const [asked, answered] = (await this.#lines()).filter((line) => line.mailbox === mailbox).slice(-2)
      return asked?.text.endsWith(' IDLE') && answered?.text.startsWith('+')
    })
  }

  async conversation(): Promise<string[]> {
    return (await this.#lines()).map(({ side, text }) => `${side} ${text}`)
  }

  /** `mailbox`: the one that is selected on that connection. */
  async #lines(): Promise<{ readonly mailbox: string | undefined; readonly side: '>' | '<'; readonly text: string }[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.startsWith('imap.log'))
    const logs = await Promise.all(names.map((name) => readFile(join(this.#directory, name), 'latin1')))
    const lines = logs.join('').matchAll(/:(?:S-([^:\r\n]*)|N?A):(SendData|CreateNewLineFromSocket): ([^\r\n]*)/g)
    return Array.from(lines, ([, mailbox, side, text]) => ({
      mailbox,
      side: side === 'SendData' ? '>' : '<',
      text: text!,
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#marionette[Symbol.dispose]()
    await this.#stop()
  }
}
