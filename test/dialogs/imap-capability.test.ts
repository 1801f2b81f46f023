/**
 * Each capability is tried: it is advertised exactly when it works. So a row of the table that has not its parts fails, and so
 * does a part that has no row.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CAPABILITIES } from '#servers/imap/capabilities.ts'
import { connectDialog, type Dialog } from '../support/dialog.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, PASSWORD, startImap } from '../support/imap-server.ts'

interface Probe {
  /** Lines of the client; a tag is put before those that do not answer a `+`. */
  readonly says: readonly string[]
  /** One line of the server that only a server with this capability sends. */
  readonly hears: RegExp
  readonly state?: 'plain' | 'before login'
}

const probe = (says: string | readonly string[], hears: RegExp, state?: Probe['state']): Probe => ({
  says: typeof says === 'string' ? [says] : says,
  hears,
  ...(state ? { state } : {}),
})

const OK = /^t OK/
const base64 = (text: string) => Buffer.from(text).toString('base64')
const CREDENTIAL = base64(`\0${ALICE}\0${PASSWORD}`)
const SCRAM_FIRST = base64(`n,,n=${ALICE},r=nonce`)
/** `r=nonce`, as the server goes on with it. */
const SCRAM_CHALLENGE = /^\+ cj1ub25jZ/
const SELECTED = 'SELECT INBOX'

const PROBES: Readonly<Record<string, Probe>> = {
  IMAP4rev1: probe('CAPABILITY', /^\* CAPABILITY .*IMAP4rev1/),
  IMAP4rev2: probe('ENABLE IMAP4rev2', /^\* ENABLED .*IMAP4REV2/i),
  'LITERAL-': probe(['STATUS {5+}', 'INBOX (MESSAGES)'], /^\* STATUS/),
  ID: probe('ID NIL', /^\* ID \("name"/),
  ENABLE: probe('ENABLE X-NOTHING', /^\* ENABLED/),
  'SASL-IR': probe(`AUTHENTICATE PLAIN ${CREDENTIAL}`, OK, 'before login'),
  'AUTH=PLAIN': probe(['AUTHENTICATE PLAIN', CREDENTIAL], OK, 'before login'),
  'AUTH=LOGIN': probe(['AUTHENTICATE LOGIN', base64(ALICE), base64(PASSWORD)], OK, 'before login'),
  'AUTH=SCRAM-SHA-256': probe(['AUTHENTICATE SCRAM-SHA-256', SCRAM_FIRST], SCRAM_CHALLENGE, 'before login'),
  STARTTLS: probe('STARTTLS', OK, 'plain'),
  LOGINDISABLED: probe(`LOGIN ${ALICE} "${PASSWORD}"`, /^t NO \[PRIVACYREQUIRED\]/, 'plain'),
  IDLE: probe(['IDLE', 'DONE'], OK),
  NAMESPACE: probe('NAMESPACE', /^\* NAMESPACE/),
  UIDPLUS: probe([SELECTED, 'UID EXPUNGE 9'], /^t OK Exp/),
  MOVE: probe([SELECTED, 'MOVE 1 Trash'], /^\* OK \[COPYUID/),
  UNSELECT: probe([SELECTED, 'UNSELECT'], /^t OK Uns/),
  CHILDREN: probe('LIST "" INBOX', /^\* LIST \(.*HasNoChildren/),
  ESEARCH: probe([SELECTED, 'SEARCH RETURN (COUNT) ALL'], /^\* ESEARCH .*COUNT 1/),
  SEARCHRES: probe([SELECTED, 'SEARCH RETURN (SAVE) ALL', 'FETCH $ UID'], /^\* 1 FETCH \(UID 1\)/),
  WITHIN: probe([SELECTED, 'SEARCH YOUNGER 600'], /^\* SEARCH 1/),
  SORT: probe([SELECTED, 'SORT (SUBJECT) UTF-8 ALL'], /^\* SORT 1/),
  'SORT=DISPLAY': probe([SELECTED, 'SORT (DISPLAYFROM) UTF-8 ALL'], /^\* SORT 1/),
  ESORT: probe([SELECTED, 'SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL'], /^\* ESEARCH .*COUNT 1/),
  'THREAD=REFERENCES': probe([SELECTED, 'THREAD REFERENCES UTF-8 ALL'], /^\* THREAD \(1\)/),
  'THREAD=ORDEREDSUBJECT': probe([SELECTED, 'THREAD ORDEREDSUBJECT UTF-8 ALL'], /^\* THREAD \(1\)/),
  CONDSTORE: probe('SELECT INBOX (CONDSTORE)', /HIGHESTMODSEQ/),
  QRESYNC: probe('ENABLE QRESYNC', /^\* ENABLED .*QRESYNC/),
  UIDONLY: probe('ENABLE UIDONLY', /^\* ENABLED .*UIDONLY/),
  PARTIAL: probe([SELECTED, 'UID SEARCH RETURN (PARTIAL 1:9) ALL'], /^\* ESEARCH .*PARTIAL/),
  'SPECIAL-USE': probe('LIST (SPECIAL-USE) "" *', /^\* LIST \(.*\\Sent/),
  'CREATE-SPECIAL-USE': probe(['DELETE Junk', 'CREATE Spam (USE (\\Junk))'], /^t OK .*Created/),
  'LIST-EXTENDED': probe('LIST "" (INBOX) RETURN (SUBSCRIBED)', /^\* LIST \(.*\\Subscribed/),
  'LIST-STATUS': probe('LIST "" INBOX RETURN (STATUS (MESSAGES))', /^\* STATUS/),
  'LIST-METADATA': probe('LIST "" INBOX RETURN (METADATA (/private/comment))', /^\* METADATA/),
  'LIST-MYRIGHTS': probe('LIST "" INBOX RETURN (MYRIGHTS)', /^\* MYRIGHTS/),
  'STATUS=SIZE': probe('STATUS INBOX (SIZE)', /^\* STATUS .*SIZE/),
  OBJECTID: probe([SELECTED, 'FETCH 1 (EMAILID)'], /^\* 1 FETCH \(EMAILID \(/),
  SAVEDATE: probe([SELECTED, 'FETCH 1 (SAVEDATE)'], /^\* 1 FETCH \(SAVEDATE "/),
  PREVIEW: probe([SELECTED, 'FETCH 1 (PREVIEW)'], /^\* 1 FETCH \(PREVIEW /),
  BINARY: probe([SELECTED, 'FETCH 1 (BINARY.SIZE[1])'], /^\* 1 FETCH \(BINARY\.SIZE\[1\] \d+\)/),
  MULTIAPPEND: probe(['APPEND INBOX {1+}', 'a {1+}', 'b'], /^t OK \[APPENDUID \d+ 2:3\]/),
  CATENATE: probe(['APPEND INBOX CATENATE (TEXT {1+}', 'a)'], /^t OK \[APPENDUID/),
  'UTF8=ACCEPT': probe('ENABLE UTF8=ACCEPT', /^\* ENABLED .*UTF8=ACCEPT/),
  'APPENDLIMIT=': probe('STATUS INBOX (APPENDLIMIT)', /^\* STATUS .*APPENDLIMIT \d+/),
  QUOTA: probe('GETQUOTAROOT INBOX', /^\* QUOTA /),
  'QUOTA=RES-STORAGE': probe('GETQUOTAROOT INBOX', /^\* QUOTA .*STORAGE/),
  'QUOTA=RES-MESSAGE': probe('GETQUOTAROOT INBOX', /^\* QUOTA .*MESSAGE/),
  QUOTASET: probe('SETQUOTA "" (STORAGE 9)', OK),
  'COMPRESS=DEFLATE': probe('COMPRESS DEFLATE', OK),
  METADATA: probe('GETMETADATA INBOX /private/comment', OK),
  NOTIFY: probe('NOTIFY SET (selected (MessageNew MessageExpunge))', OK),
  ACL: probe('MYRIGHTS INBOX', /^\* MYRIGHTS/),
  REPLACE: probe([SELECTED, 'REPLACE 1 INBOX {1+}', 'b'], /^\* OK \[APPENDUID/),
  INPROGRESS: probe([SELECTED, 'SEARCH RETURN (UPDATE) ALL'], /^\* OK \[INPROGRESS/),
}

async function connectionOf(imap: ImapFixture, state: Probe['state']): Promise<Dialog> {
  if (state === 'before login') return imap.connect()
  if (state === undefined) return imap.login()
  const talk = await connectDialog({ port: imap.port })
  await talk.play('S: * OK [CAPABILITY …] …')
  return talk
}

/** Whether a line of the server is what the probe waits for. */
async function works(imap: ImapFixture, { says, hears, state }: Probe): Promise<boolean> {
  await using talk = await connectionOf(imap, state)
  let inCommand = false
  for (const line of says) {
    talk.send(`${inCommand ? '' : 't '}${line}\r\n`)
    // A literal that is not waited for goes on with the next line.
    inCommand = line.endsWith('+}')
    while (!inCommand) {
      const heard = await talk.line()
      if (heard === null) return false
      if (hears.test(heard)) return true
      if (heard.startsWith('+')) inCommand = true
      else if (heard.startsWith('t ')) break
    }
  }
  return false
}

/** What is advertised in any state, without values. */
async function advertised(imap: ImapFixture): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const state of ['plain', 'before login', undefined] as const) {
    await using talk = await connectionOf(imap, state)
    talk.send('t CAPABILITY\r\n')
    const line = (await talk.line()) ?? assert.fail('no answer to CAPABILITY')
    for (const word of line.split(' ').slice(2)) found.add(word.replace(/=\d+$/, '='))
  }
  return found
}

test('what is advertised is what the table says', async () => {
  await using imap = await startImap()
  assert.deepEqual([...(await advertised(imap))].sort(), CAPABILITIES.map(({ name }) => name).sort())
})

test('every capability has its probe', () => {
  assert.deepEqual(
    CAPABILITIES.map(({ name }) => name).filter((name) => !PROBES[name]),
    [],
  )
})

test('what works is advertised, and what is advertised works', async () => {
  const working: string[] = []
  for (const [name, one] of Object.entries(PROBES)) {
    await using imap = await startImap()
    await imap.desk.deliver(ALICE, PLAIN)
    await imap.desk.store.setQuota('alice', 1_000_000)
    if (await works(imap, one)) working.push(name)
  }
  assert.deepEqual(working.sort(), CAPABILITIES.map(({ name }) => name).sort())
})
