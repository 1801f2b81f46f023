/** Two clients of one account over the sealed store: what one does the other is told of, wherever it happens, and nothing of it is in clear on the disk. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectDialog, type Dialog } from '../../support/dialog.ts'
import { type Provider, startProvider } from '../../support/provider.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const alice = { address: 'alice@alpha.test', password: 'correct horse battery staple' }

async function login({ host, ports }: Provider): Promise<Dialog> {
  const talk = await connectDialog({ host, port: ports.imaps, tls: true })
  await talk.play(`S: * OK …\nC: l LOGIN ${alice.address} "${alice.password}"\nS: l OK …`)
  return talk
}

test('a client hears what another one does to messages, mailboxes and annotations', async () => {
  await using directory = await temporaryDirectory('imap-news')
  await using provider = await startProvider({ directory: directory.path, domain: 'alpha.test', accounts: [alice] })
  await using one = await login(provider)
  await using other = await login(provider)
  await one.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 NOTIFY SET (SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge)) (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange MailboxMetadataChange))
    S: 2 OK …
  `)
  await other.play(`
    C> 1 APPEND INBOX {22+}\\r\\nSubject: canaryA\\r\\n\\r\\n\\r\\n {22+}\\r\\nSubject: canaryB\\r\\n\\r\\n\\r\\n\\r\\n
    S: 1 OK [APPENDUID … 1:2] Appended
  `)
  await one.play(`
    S: * 2 EXISTS
    S: * 2 RECENT
    S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject)] {20}
    S: Subject: canaryA
    S: 
    S: )
    S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject)] {20}
    S: Subject: canaryB
    S: 
    S: )
  `)
  await other.play('C: 2 CREATE x/y\nS: 2 OK …')
  await one.play(
    'S: * LIST (\\HasChildren) "/" "x"\nS: * LIST (\\HasNoChildren) "/" "x/y"\nS: ...\nS: * STATUS "x/y" …',
  )
  await other.play('C: 3 SETMETADATA x/y (/private/comment "canaryC")\nS: 3 OK …')
  await one.play('S: * METADATA "x/y" /private/comment')
  await other.play('C: 4 APPEND x/y CATENATE (URL "/INBOX;UID=1" URL "/INBOX;UID=2/;SECTION=TEXT")\nS: 4 OK …')
  await one.play('S: * STATUS "x/y" (MESSAGES 1 …)')
  await other.play('C: 5 SUBSCRIBE x/y\nS: 5 OK …')
  await one.play('S: * LIST (\\HasNoChildren \\Subscribed) "/" "x/y"')
  await other.play(`
    C: 6 SELECT INBOX
    S: ...
    S: 6 OK …
    C: 7 UID STORE 1 +FLAGS.SILENT (\\Deleted)
    S: 7 OK …
    C: 8 STATUS x/y (SIZE DELETED-STORAGE)
    S: * STATUS "x/y" (SIZE … DELETED-STORAGE 0)
    S: 8 OK …
    C: 9 EXPUNGE
    S: ...
    S: 9 OK …
  `)
  await one.play(
    'S: * 1 EXPUNGE\nC: 3 GETMETADATA x/y /private/comment\nS: * METADATA "x/y" (/private/comment "canaryC")\nS: 3 OK …',
  )
  for (const entry of await readdir(provider.data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    // Files of databases come and go.
    const octets = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0))
    assert.ok(!octets.includes('canary'), `${entry.name} shows what was said`)
  }
})
