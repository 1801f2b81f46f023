import assert from 'node:assert/strict'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { needs } from '../support/needs.ts'
import { curlAppend, curlImap } from '../support/peers/curl.ts'
import { startDovecot } from '../support/peers/dovecot.ts'
import { sqDecrypt, sqopDecrypt, startGpg } from '../support/peers/gpg.ts'
import { asSent, mbsync } from '../support/peers/mbsync.ts'
import { mutt } from '../support/peers/mutt.ts'
import { startPostfix } from '../support/peers/postfix.ts'
import { eventually } from '../support/peers/run.ts'
import { swaks } from '../support/peers/swaks.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const message = Buffer.from(
  'From: alice@alpha.test\r\nTo: bob@beta.test\r\nSubject: Peers\r\nMessage-ID: <1@alpha.test>\r\nDate: Sun, 22 Nov 2026 07:37:24 +0000\r\n\r\n.dot\r\n..two\r\nFrom here\r\n\r\n%TO_ADDRESS%\r\n',
)

describe('the peers work with each other, so a journey that fails points at us', () => {
  it(
    'swaks to Postfix to Dovecot with mail_crypt, read by curl, mbsync and mutt',
    needs('postfix', 'dovecot', 'swaks', 'curl', 'mbsync', 'mutt', 'script', 'root'),
    async () => {
      await using directory = await temporaryDirectory('peers', true)
      for (const name of ['dovecot', 'postfix', 'mbsync']) await mkdir(directory.join(name))
      const login = { user: 'bob@beta.test', password: 'a pass"word' }
      await using dovecot = await startDovecot({
        directory: directory.join('dovecot'),
        mailCrypt: true,
        users: [{ address: login.user, password: login.password }],
      })
      await using postfix = await startPostfix({
        directory: directory.join('postfix'),
        domains: ['beta.test'],
        deliverTo: { host: dovecot.host, lmtpPort: dovecot.lmtpPort },
        tls: true,
      })
      const sent = await swaks({
        ...postfix,
        from: 'alice@alpha.test',
        to: ['bob@beta.test'],
        message,
        tls: 'starttls',
      })
      assert.equal(sent.code, 0, sent.output)

      const imap = { host: dovecot.host, port: dovecot.imapPort, ...login }
      const read = await eventually('the message', async () => {
        const ran = await curlImap(imap, '/INBOX;UID=1')
        return ran.code === 0 && ran.stdout
      })
      assert.ok(read.toString().endsWith(message.toString()), read.toString())
      const stored = `${dovecot.mail}/bob@beta.test/Maildir/cur`
      assert.match((await readFile(`${stored}/${(await readdir(stored))[0]}`)).toString('latin1'), /^CRYPTED/)

      assert.equal((await curlImap(imap, '/', 'CREATE Drafts')).code, 0)
      assert.equal((await curlAppend(imap, 'Drafts', message)).code, 0)

      const client = await mbsync({ directory: directory.join('mbsync'), ...imap })
      const synced = await client.sync()
      assert.equal(synced.code, 0, synced.output)
      assert.deepEqual(asSent((await client.messages('INBOX'))[0]!.content), read)
      assert.deepEqual(asSent((await client.messages('Drafts'))[0]!.content), message)

      const copy = directory.join('copy')
      const imaps = { ...imap, port: dovecot.imapsPort, ca: dovecot.ca }
      assert.deepEqual((await curlImap(imaps, '/INBOX;UID=1')).stdout, read)
      const seen = await mutt(
        { directory: directory.path, ...imaps },
        'INBOX',
        `<copy-message><kill-line>${copy}<enter><quit>`,
      )
      assert.equal(seen.code, 0, seen.output)
      assert.match(await readFile(copy, 'utf8'), /Subject: Peers[\s\S]*\.dot\n\.\.two\nFrom here/)
    },
  )

  it('gpg, sq and sqop open what gpg sealed, with a locked key', needs('gpg', 'sq', 'sqop', 'script'), async () => {
    await using gpg = await startGpg()
    const passphrase = 'open sesame'
    await gpg.run(['--quick-generate-key', 'bob@beta.test', 'future-default', 'default', 'never'], { passphrase })
    const key = (await gpg.run(['--export-secret-keys'], { passphrase })).stdout
    const sealing = ['--trust-model', 'always', '--encrypt', '--recipient', 'bob@beta.test']
    const sealed = (await gpg.run(sealing, { input: message })).stdout
    assert.deepEqual(await gpg.decrypt(sealed, passphrase), message)
    assert.deepEqual(await sqopDecrypt(key, passphrase, sealed), message)
    assert.deepEqual(await sqDecrypt(key, passphrase, sealed), message)
  })
})
