/** Mail that its sender sealed or signed: its readers see it opened, from the first look on, and everything else stays. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decodeSummary, encodeSummary, summarize } from '#formats/message/summary.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { unwrapEncrypted, withMessage } from '#formats/pgp-mime/pgp-mime.ts'
import { systemClock } from '#lib/clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { SIGNED } from '../../../test/support/sealed-letters.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { newKeys } from './changing-keys.contract.ts'
import { encodePage } from './index-pages.ts'
import { IndexRecords } from './index-records.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import {
  ACCOUNT,
  ada,
  bob,
  damagedLetter,
  fakeAid,
  house,
  idOf,
  knowing,
  mallory,
  NOW,
  plainLetter,
  SECRET,
  sealedLetter,
  signedLetter,
  text,
} from './sealed-by-senders.contract.ts'
import { Opener } from './sealed-mail-store-opener.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

const directory = await temporaryDirectory('unsealing')
const sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: createFakeLog() })
after(async () => {
  await sql[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

/** More than are looked at in one go. */
const MANY = 100

const good = {
  kind: 'good',
  fingerprint: ada.fingerprint,
  evidence: 'secure-srv',
  isCurrent: true,
  signed: SIGNED,
} as const

for (const [name, make] of [
  ['memory', async () => createMemoryMailStore()],
  ['SQL', () => sql.remove(ACCOUNT).then(() => sql)],
] as const)
  describe(`unsealing over ${name}`, () => {
    test('what was sealed is shown opened and verified, under its numbers, and rests under the certificate at rest alone', async () => {
      const { store, raw, login, keys } = await house(await make())
      const { mailbox, uid } = await store.append(ACCOUNT, 'INBOX', sealedLetter('hello', { flags: ['\\Flagged'] }))
      const [before] = await raw.list(mailbox)
      const status = await raw.status(mailbox)
      await using mail = await login()
      const view = text(await mail.read(mailbox, uid))!
      assert.match(view, /^Received: from alpha\.test/)
      assert.match(view, /Authentication-Results: mx\.beta\.test;\r\n\topenpgp=pass/)
      assert.match(view, /Subject: hello\r\n[\s\S]*CANARY-7d31b0 hello\r\n$/)
      assert.ok(!view.includes('BEGIN PGP'))
      const [summary] = await mail.summaries(mailbox, [uid])
      const { size, root } = decodeSummary(summary!)
      assert.deepEqual([size, root.type, root.envelope?.subject], [view.length, 'text', 'hello'])
      const protection = { encryption: 'opened', signature: good, author: 'ada@alpha.test', at: NOW }
      assert.deepEqual(await mail.protections(mailbox, [99, uid]), [null, protection])
      const { paddedSize, ...row } = (await raw.list(mailbox))[0]!
      const { paddedSize: _, ...rowBefore } = before!
      assert.deepEqual(row, rowBefore)
      assert.deepEqual({ ...(await raw.status(mailbox)), size: 0 }, { ...status, size: 0 })
      assert.equal((await raw.status(mailbox)).size, paddedSize)
      assert.equal((await raw.quota()).used, paddedSize + 1024)
      const sealed = (await raw.read(mailbox, uid))!
      assert.deepEqual(
        (await raw.contents.tally()).map(({ sealedTo }) => sealedTo),
        [keys.fingerprint],
      )
      const [key] = await keys.reading().sessionKeys(splitMessage(sealed).pkesks)
      assert.equal(text(unseal(sealed, { cipher: key![0]!, key: key!.subarray(1) })), view)
      assert.equal(mail.session.inner, 1)
    })

    test('it happens once: the next session asks for nothing', async () => {
      const { store, login, log } = await house(await make())
      for (let i = 0; i < 5; i++)
        await store.append(ACCOUNT, 'INBOX', i % 2 ? signedLetter(`m${i}`) : sealedLetter(`m${i}`))
      const uids = [1, 2, 3, 4, 5]
      const seen = async () => {
        const aid = fakeAid()
        await using mail = await login(aid)
        const inbox = await idOf(mail, 'INBOX')
        const summaries = (await mail.summaries(inbox, uids)).map(text)
        const contents = await Promise.all(uids.map(async (uid) => text(await mail.read(inbox, uid))))
        const protections = await mail.protections(inbox, uids)
        return { summaries, contents, protections, inner: mail.session.inner, asked: aid.asked }
      }
      const first = await seen()
      assert.deepEqual([first.inner, first.asked], [3, ['ada@alpha.test']], 'each author is asked once for all')
      assert.ok(first.protections.every((one) => one?.signature.kind === 'good'))
      assert.deepEqual(
        first.protections.map((one) => one?.encryption),
        ['opened', 'none', 'opened', 'none', 'opened'],
      )
      assert.deepEqual(await seen(), { ...first, inner: 0, asked: [] })
      assert.deepEqual(log.lines, [])
    })

    test('copies that were made before anybody looked are opened together', async () => {
      const { store, login, raw } = await house(await make())
      const { mailbox } = await store.append(ACCOUNT, 'INBOX', sealedLetter('copied'))
      const archive = await idOf(raw, 'Archive')
      await raw.copy(mailbox, [1], archive)
      await raw.copy(mailbox, [1], mailbox)
      await using mail = await login()
      const [one, two] = await mail.protections(mailbox, [1, 2])
      assert.deepEqual([one?.signature, two?.signature], [good, good])
      assert.match(text(await mail.read(archive, 1))!, /CANARY-7d31b0 copied/)
      assert.equal(mail.session.inner, 1)
      assert.equal((await mail.coverage()).contents, 1)
    })

    test('what is copied, moved and sealed again stays what it is', async () => {
      const { store, login, keys, log } = await house(await make())
      for (const letter of [sealedLetter('a'), signedLetter('b')]) await store.append(ACCOUNT, 'INBOX', letter)
      await using mail = await login()
      const [inbox, archive] = [await idOf(mail, 'INBOX'), await idOf(mail, 'Archive')]
      const before = await mail.protections(inbox, [1, 2])
      assert.ok(before.every((one) => one?.signature.kind === 'good'))
      await mail.copy(inbox, [1], archive)
      await mail.move(inbox, [2], archive)
      assert.deepEqual(await mail.protections(archive, [1, 2]), before)
      await keys.change()
      await using later = await login()
      assert.equal((await later.reseal(10)).current, 2)
      assert.deepEqual(await later.protections(archive, [1, 2]), before)
      assert.deepEqual(log.lines, [])
    })

    test('a folder that is opened while nobody asks is opened all the same', async () => {
      const { store, login, raw } = await house(await make())
      for (let i = 0; i < 70; i++)
        await store.append(ACCOUNT, 'Archive', i % 7 ? plainLetter(`p${i}`) : sealedLetter(`s${i}`))
      const archive = await idOf(raw, 'Archive')
      await using mail = await login()
      while ((await raw.waiting(archive, null, 1)).length > 0) await nextTurn()
      assert.equal(mail.session.inner, 10)
      assert.match(text(await mail.read(archive, 1))!, /CANARY-7d31b0 s0/)
    })

    test('what was seen as it came comes opened under a new uid', async () => {
      const { store, login, raw, keys } = await house(await make())
      for (const letter of [sealedLetter('old'), plainLetter('plain')]) await store.append(ACCOUNT, 'INBOX', letter)
      const mailbox = await idOf(raw, 'INBOX')
      // As somebody had made it who knew nothing of unsealing.
      const [parts] = await raw.parts(mailbox, [1])
      const reading = keys.reading()
      const [entry] = await new Opener(reading).entries([parts!.summary!])
      const records = new IndexRecords(ACCOUNT, await reading.indexKey())
      const page = encodePage([{ content: parts!.content, entry: entry as Uint8Array, isSettled: false }])
      await raw.pages.keep([{ contents: [parts!.content], from: [null], seal: (id) => records.sealPage(id, page) }])
      const { highestModseq } = await raw.status(mailbox)
      const [before] = await raw.facts(mailbox, [1])
      await using mail = await login()
      assert.equal(await mail.read(mailbox, 1), null)
      const { changed, vanished } = await mail.changesSince(mailbox, highestModseq)
      assert.deepEqual([changed.map(({ uid }) => uid), [...vanished]], [[3], [1, 1]])
      assert.match(text(await mail.read(mailbox, 3))!, /CANARY-7d31b0 old/)
      const [after] = await mail.facts(mailbox, [3])
      // RFC 8474 §5.1: what readers see is another email now, in the same place.
      assert.notEqual(after!.emailId, before!.emailId)
      assert.equal(after!.savedDate, before!.savedDate)
      assert.deepEqual((await mail.protections(mailbox, [3]))[0]?.signature, good)
    })

    test('what is not for us stays as it came, is tried once, and is opened when the key is there', async () => {
      const { store, login, log } = await house(await make())
      const letter = sealedLetter('for mallory', { reader: mallory })
      for (let i = 0; i < MANY; i++) await store.append(ACCOUNT, 'INBOX', letter)
      const uids = Array.from({ length: MANY }, (_, i) => i + 1)
      {
        await using mail = await login()
        const inbox = await idOf(mail, 'INBOX')
        await mail.summaries(inbox, uids)
        assert.equal(text(await mail.read(inbox, 7)), text(letter.content))
        assert.equal(mail.session.inner, 0, 'it names nobody here')
        const [one] = await mail.protections(inbox, [MANY])
        assert.deepEqual(one, { encryption: 'closed', signature: { kind: 'none' }, author: null, at: NOW })
      }
      {
        await using mail = await login(null)
        await mail.summaries(await idOf(mail, 'INBOX'), uids)
        assert.equal(mail.session.inner, 0)
      }
      const aid = fakeAid({ own: [bob, mallory] })
      await using mail = await login(aid, [bob, mallory])
      const inbox = await idOf(mail, 'INBOX')
      assert.equal(await mail.read(inbox, 7), null)
      assert.match(text(await mail.read(inbox, MANY + 1))!, /for mallory/)
      assert.equal((await mail.list(inbox)).length, MANY)
      assert.deepEqual(log.lines, [])
    })

    test('what came for a key that a reset had closed is opened after the relink, when the certificates are the same', async () => {
      const { store, login, keys } = await house(await make())
      await store.append(ACCOUNT, 'INBOX', sealedLetter('late'))
      const after = async (people: readonly (typeof bob)[]) => {
        await using mail = await login(fakeAid({ own: [bob] }), people)
        const inbox = await idOf(mail, 'INBOX')
        const { uid } = (await mail.list(inbox))[0]!
        await mail.summaries(inbox, [uid])
        const seen = (await mail.list(inbox))[0]!
        return [seen.uid, (await mail.protections(inbox, [seen.uid]))[0]?.encryption]
      }
      assert.deepEqual(await after([]), [1, 'closed'])
      await keys.change()
      assert.deepEqual(await after([bob]), [2, 'opened'])
    })

    test('one for us whose key is not here is tried once for each set of keys', async () => {
      const { store, login } = await house(await make())
      await store.append(ACCOUNT, 'INBOX', sealedLetter('hidden', { reader: mallory }))
      const inner: number[] = []
      for (const own of [[mallory], [mallory], [bob, mallory], [bob, mallory], [bob]]) {
        await using mail = await login(fakeAid({ own }), [])
        const inbox = await idOf(mail, 'INBOX')
        for (let i = 0; i < 2; i++) assert.match(text(await mail.read(inbox, 1))!, /BEGIN PGP/)
        inner.push(mail.session.inner)
      }
      assert.deepEqual(inner, [1, 0, 1, 0, 0])
    })

    test('a damaged one is readable as it came, and hides no other', async () => {
      const { store, login } = await house(await make())
      const damaged = damagedLetter('damaged')
      for (const letter of [sealedLetter('one'), damaged, sealedLetter('two')])
        await store.append(ACCOUNT, 'INBOX', letter)
      for (let i = 0; i < 2; i++) {
        await using mail = await login()
        const inbox = await idOf(mail, 'INBOX')
        const protections = await mail.protections(inbox, [1, 2, 3])
        assert.deepEqual(
          protections.map((one) => one?.encryption),
          ['opened', 'damaged', 'opened'],
        )
        assert.equal(text(await mail.read(inbox, 2)), text(damaged.content))
        assert.equal(mail.session.inner, i === 0 ? 3 : 0)
      }
    })

    test('two sessions that look at the same moment open it once and see the same', async () => {
      const { store, login } = await house(await make())
      for (let i = 0; i < 20; i++) await store.append(ACCOUNT, 'INBOX', sealedLetter(`m${i}`))
      const aid = fakeAid()
      await using one = await login(aid)
      await using two = await login(aid)
      const inbox = await idOf(one, 'INBOX')
      const uids = Array.from({ length: 20 }, (_, i) => i + 1)
      const seen = await Promise.all([one, two, one, two].map((mail) => mail.summaries(inbox, uids)))
      const texts = seen.map((summaries) => summaries.map(text))
      assert.ok(texts[0]!.every((summary, i) => summary?.includes(`m${i}`)))
      for (const other of texts) assert.deepEqual(other, texts[0])
      assert.equal(one.session.inner + two.session.inner, 20)
      assert.equal(aid.scanned.length, 20)
    })

    test('signatures that could not be checked are checked at a later login; what is shown stays', async () => {
      const { store, login, raw, log } = await house(await make())
      for (const letter of [sealedLetter('a'), signedLetter('b'), sealedLetter('c', { signer: mallory })])
        await store.append(ACCOUNT, 'INBOX', letter)
      const uids = [1, 2, 3]
      const kinds = async (mail: Awaited<ReturnType<typeof login>>, mailbox = 3) =>
        (await mail.protections(mailbox, uids)).map((one) => one?.signature.kind)
      const trouble = { certificates: [], trouble: 'the keyserver is down' }
      let shown: unknown
      const inbox = await idOf(raw, 'INBOX')
      {
        await using mail = await login(fakeAid({ signers: async () => trouble }))
        assert.deepEqual(await kinds(mail, inbox), ['unchecked', 'unchecked', 'unchecked'])
        shown = await Promise.all(uids.map(async (uid) => text(await mail.read(inbox, uid))))
        await mail.copy(inbox, [1], await idOf(mail, 'Archive'))
      }
      assert.equal((await raw.contents.unchecked(null, 10)).length, 3)
      const aid = fakeAid()
      await using mail = await login(aid)
      while ((await raw.contents.unchecked(null, 10)).length > 0) await nextTurn()
      assert.deepEqual(await kinds(mail, inbox), ['good', 'good', 'unknown'])
      assert.deepEqual(aid.asked, ['ada@alpha.test'])
      assert.deepEqual(await Promise.all(uids.map(async (uid) => text(await mail.read(inbox, uid)))), shown)
      assert.deepEqual((await mail.protections(await idOf(mail, 'Archive'), [1]))[0]?.signature, good)
      assert.deepEqual(log.lines, [])
    })

    test('without anybody to ask it is opened, unchecked, and says nothing about itself', async () => {
      const { store, login, raw } = await house(await make())
      await store.append(ACCOUNT, 'INBOX', sealedLetter('alone'))
      const inbox = await idOf(raw, 'INBOX')
      {
        await using mail = await login(null)
        const view = text(await mail.read(inbox, 1))!
        assert.match(view, /CANARY-7d31b0 alone/)
        assert.ok(!view.includes('Authentication-Results'))
        assert.equal((await mail.protections(inbox, [1]))[0]?.signature.kind, 'unchecked')
      }
      await using mail = await login()
      while ((await raw.contents.unchecked(null, 10)).length > 0) await nextTurn()
      assert.deepEqual((await mail.protections(inbox, [1]))[0]?.signature, good)
    })

    test('in device mode nothing is opened', async () => {
      const { store, login, keys, raw } = await house(await make())
      const letter = sealedLetter('for the device')
      await store.append(ACCOUNT, 'INBOX', letter)
      keys.device = (await newKeys()).certificate
      await store.append(ACCOUNT, 'INBOX', plainLetter('wrapped'))
      const inbox = await idOf(raw, 'INBOX')
      await using mail = await login()
      assert.equal(text(await mail.read(inbox, 1)), text(letter.content))
      assert.match(text(await mail.read(inbox, 2))!, /BEGIN PGP/)
      assert.deepEqual(await mail.protections(inbox, [1, 2]), [null, null])
      assert.equal(mail.session.inner, 0)
      while ((await raw.waiting(inbox, null, 1)).length > 0) await nextTurn()
    })

    test('what scanners find moves it before its reader sees it', async () => {
      const { store, login, raw } = await house(await make())
      const scan = async (octets: Uint8Array) => {
        const said = text(octets)!
        return said.includes('buy')
          ? 'junk'
          : said.includes('virus')
            ? 'malware'
            : said.includes('late')
              ? 'unscanned'
              : 'clean'
      }
      const letters = [sealedLetter('buy'), sealedLetter('virus'), sealedLetter('late'), sealedLetter('fine')]
      const seen = sealedLetter('buy and seen', { flags: ['\\Seen'] })
      for (const letter of [...letters, seen, signedLetter('buy in the open')])
        await store.append(ACCOUNT, 'INBOX', letter)
      await store.append(ACCOUNT, 'Archive', sealedLetter('buy and archived'))
      await store.append(ACCOUNT, 'INBOX', sealedLetter('virus too'))
      const aid = fakeAid({ scan })
      await using mail = await login(aid)
      const inbox = await idOf(raw, 'INBOX')
      const read = await Promise.all([1, 2, 3, 4, 5, 6, 7].map(async (uid) => text(await mail.read(inbox, uid))))
      assert.deepEqual(
        read.map((one) => one && /Subject: (.*)\r/.exec(one)![1]),
        [null, null, 'late', 'fine', 'buy and seen', 'buy in the open', null],
      )
      const subjects = async (name: string) => {
        const mailbox = await idOf(mail, name)
        const uids = (await mail.list(mailbox)).map(({ uid }) => uid)
        const texts = await Promise.all(uids.map(async (uid) => text(await mail.read(mailbox, uid))))
        return texts.map((one) => /Subject: (.*)\r/.exec(one!)![1]).sort()
      }
      assert.deepEqual(await subjects('Junk'), ['buy'])
      assert.deepEqual(await subjects('Quarantine'), ['virus', 'virus too'])
      assert.deepEqual(await subjects('Archive'), ['buy and archived'])
      assert.equal(aid.scanned.length, 5)
      assert.equal((await mail.mailboxes()).find((one) => one.name === 'Quarantine')!.subscribed, false)
      const again = fakeAid({ scan })
      await using later = await login(again)
      await later.summaries(inbox, [3, 4])
      assert.deepEqual(again.scanned, [])
    })

    test('where nobody scans nothing is handed out to be scanned, and it stays where it is', async () => {
      const { store, login } = await house(await make())
      const { mailbox, uid } = await store.append(ACCOUNT, 'INBOX', sealedLetter('buy'))
      const aid = { ...fakeAid({ scan: async () => 'junk' }), scans: false }
      await using mail = await login(aid)
      assert.match(text(await mail.read(mailbox, uid))!, /Subject: buy/)
      assert.deepEqual(aid.scanned, [])
    })

    test('what was opened and lost its entry is not opened again', async () => {
      const { store, login, raw } = await house(await make())
      for (const letter of [sealedLetter('a'), signedLetter('b')]) await store.append(ACCOUNT, 'INBOX', letter)
      const inbox = await idOf(raw, 'INBOX')
      const read = async () => {
        await using mail = await login()
        return await Promise.all([1, 2].map(async (uid) => text(await mail.read(inbox, uid))))
      }
      const before = await read()
      const parts = (await raw.parts(inbox, [1, 2])).map((one) => one!)
      const contents = parts.map(({ content }) => content)
      await raw.pages.keep([{ contents, from: parts.map(({ page }) => page), seal: () => Buffer.of(1) }])
      assert.deepEqual(await read(), before)
      await using mail = await login()
      assert.deepEqual(
        (await mail.protections(inbox, [1, 2])).map((one) => [one?.encryption, one?.signature.kind]),
        [
          ['opened', 'unknown'],
          ['none', 'unknown'],
        ],
      )
      assert.equal(mail.session.inner, 0)
    })

    test('nothing that a sender writes makes a message unreadable', async () => {
      const { store, login, log } = await house(await make())
      const head =
        'From: ada@alpha.test\r\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n'
      const parts = ['--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n', '--b\r\n\r\n', '--b--\r\n']
      const armored = text(sealedLetter('x').content)!.split('--foo')
      const odd = [
        head + parts.join(''),
        head +
          parts[0] +
          parts[1] +
          '-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n-----END PGP MESSAGE-----\r\n' +
          parts[2],
        armored.slice(0, 2).join('--foo'),
        [...armored.slice(0, 3), '\r\n\r\nmore\r\n', '--\r\n'].join('--foo'),
        text(signedLetter('y').content)!.replace('application/pgp-signature; name', 'text/plain; name'),
        text(signedLetter('y').content)!.replace(/\r\n\r\n-----BEGIN[\s\S]*END PGP SIGNATURE-----/, '\r\n\r\nnothing'),
        'Subject: "multipart","encrypted"\r\n\r\n"multipart","signed"',
      ]
      for (const one of odd) {
        const content = Buffer.from(one)
        await store.append(ACCOUNT, 'INBOX', {
          content,
          summary: encodeSummary(summarize(content)),
          internalDate: 0,
          flags: [],
        })
      }
      await using mail = await login()
      const inbox = await idOf(mail, 'INBOX')
      for (const [i, one] of odd.entries()) {
        const read = text(await mail.read(inbox, i + 1))!
        const body = one.slice(one.indexOf('\r\n\r\n'))
        assert.ok(read.endsWith(body), `${i}`)
      }
      assert.deepEqual(log.lines, [])
    })
  })

test('signatures by others, and of those that nobody knows, are told apart', async () => {
  const { store, login, raw } = await house(createMemoryMailStore())
  await store.append(ACCOUNT, 'INBOX', sealedLetter('forged', { signer: mallory }))
  await store.append(ACCOUNT, 'INBOX', sealedLetter('unsigned', { signer: null }))
  await using mail = await login(fakeAid({ signers: async () => knowing(ada, mallory) }))
  const inbox = await idOf(raw, 'INBOX')
  assert.deepEqual(
    (await mail.protections(inbox, [1, 2])).map((one) => one?.signature.kind),
    ['bad', 'none'],
  )
  assert.ok(text(await mail.read(inbox, 1))!.includes(SECRET))
})

test('of a flood of packets for the same key only some are tried', async () => {
  const { store, login } = await house(createMemoryMailStore())
  const letter = sealedLetter('flood')
  const sealed = unwrapEncrypted(letter.content)!
  const { container } = splitMessage(sealed)
  const pkesk = sealed.subarray(0, sealed.length - container.length)
  const broken = Buffer.from(pkesk)
  broken[broken.length - 1] = broken[broken.length - 1]! ^ 1
  const flooded = (...packets: readonly Buffer[]) => withMessage(letter.content, Buffer.concat([...packets, container]))
  for (const content of [flooded(...Array.from({ length: 999 }, () => broken), pkesk), flooded(broken, broken, pkesk)])
    await store.append(ACCOUNT, 'INBOX', { ...letter, content })
  await using mail = await login()
  const found = await mail.protections(await idOf(mail, 'INBOX'), [1, 2])
  assert.deepEqual(
    found.map((one) => one?.encryption),
    ['damaged', 'opened'],
  )
  assert.ok(mail.session.inner < 100)
})
