/** An existing Postfix in front: it hands mail in by LMTP and by SMTP with STARTTLS, and carries mail out as the smarthost. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { needs } from '../support/needs.ts'
import { curlImap, curlSubmit } from '../support/peers/curl.ts'
import { startPostfix } from '../support/peers/postfix.ts'
import { eventually } from '../support/peers/run.ts'
import { swaks } from '../support/peers/swaks.ts'
import { makeProvider } from '../support/provider.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }

function letter(subject: string): Buffer {
  return Buffer.from(
    `From: carol@beta.test\r\nTo: ann@alpha.test\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\nMessage-ID: <${subject}@beta.test>\r\nSubject: ${subject}\r\n\r\n.dot\r\n`,
  )
}

describe('a Postfix in front', needs('postfix', 'swaks', 'curl', 'root'), () => {
  it('hands mail in by LMTP and SMTP, gives refusals back to the sender, and carries mail out', async () => {
    await using directory = await temporaryDirectory('front', true)
    for (const name of ['lmtp', 'smtp', 'provider']) await mkdir(directory.join(name))
    await using provider = await makeProvider({
      directory: directory.join('provider'),
      domain: 'alpha.test',
      accounts: [ann],
    })
    await using byLmtp = await startPostfix({
      directory: directory.join('lmtp'),
      domains: ['alpha.test'],
      deliverTo: { host: provider.host, lmtpPort: provider.ports.lmtp },
    })
    await using bySmtp = await startPostfix({
      directory: directory.join('smtp'),
      domains: ['beta.test'],
      deliverTo: 'maildir',
      settings: {
        transport_maps: `inline:{ { alpha.test = smtp:[${provider.host}]:${provider.ports.smtp} } }`,
        smtp_tls_security_level: 'encrypt',
      },
      tls: true,
    })
    await provider.configure({ 'relay.smarthost': `"${bySmtp.host}:${bySmtp.port}"` })
    await provider.start()

    const reading = {
      host: provider.host,
      port: provider.ports.imaps,
      user: ann.address,
      password: ann.password,
      ca: provider.ca,
    }
    const envelope = { from: 'carol@beta.test', to: [ann.address] }
    for (const [index, front] of [byLmtp, bySmtp].entries()) {
      const sent = letter(`front-${index}`)
      const ran = await swaks({ ...front, ...envelope, message: sent })
      assert.equal(ran.code, 0, ran.output)
      const read = await eventually(`mail through front ${index}`, async () => {
        const { code, stdout } = await curlImap(reading, `/INBOX;UID=${index + 1}`)
        return code === 0 && stdout
      })
      assert.ok(read.subarray(-sent.length).equals(sent), read.toString())
      assert.match(read.toString(), index === 0 ? /with LMTP/ : /with ESMTPS/)
    }

    // Postfix learns the refusal from us and returns the mail to its author, who is its own user.
    await swaks({ ...bySmtp, from: 'carol@beta.test', to: ['nobody@alpha.test'], message: letter('unknown') })
    const returned = await eventually('the returned mail', async () => (await bySmtp.maildir())[0])
    assert.match(returned.content.toString(), /nobody@alpha\.test[\s\S]*550[ -]5\.1\.1/)

    const submission = { ...reading, port: provider.ports.submissions }
    const answer = Buffer.from(
      `From: ${ann.address}\r\nTo: carol@beta.test\r\nSubject: Out\r\n\r\nBy the smarthost.\r\n`,
    )
    const ran = await curlSubmit(submission, ann.address, ['carol@beta.test'], answer)
    assert.equal(ran.code, 0, ran.output)
    await eventually('mail through the smarthost', async () =>
      (await bySmtp.maildir()).find(({ content }) => content.includes('By the smarthost.')),
    )
  })
})
