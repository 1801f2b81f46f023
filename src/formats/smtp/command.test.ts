import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress } from '#formats/message/address.ts'
import { type Command, formatCommand, LostChunk, parseCommand } from './command.ts'
import { NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS } from './parameters.ts'
import { SmtpError } from './reply.ts'
import { decodeXtext, encodeXtext } from './xtext.ts'

/** Ordinary objects, as deepEqual wants them. */
function record<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(shape, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const parse = (line: string) => parseCommand(Buffer.from(line))

function refusal(line: string | Buffer): string {
  try {
    parseCommand(Buffer.from(line as string))
  } catch (error) {
    assert.ok(error instanceof SmtpError, String(error))
    return `${error.reply.code} ${error.reply.enhanced}`
  }
  return assert.fail(`${line} was understood`)
}

const address = fc
  .tuple(
    fc.string({ unit: fc.constantFrom(...'ab.>"\\ @<+=é'), minLength: 1, maxLength: 12 }),
    fc.constantFrom('example.test', 'bücher.example', '[192.0.2.1]', '[IPv6:2001:db8::1]', 'a.b.c'),
  )
  .map(([local, domain]): Address => ({ local, domain }))
const printable = fc.string({ unit: fc.constantFrom(...'aZ09+=;<> ~@.'), minLength: 1, maxLength: 30 })
const isAscii = (one: Address | null) => one === null || /^[\0-\x7f]*$/.test(one.local + one.domain)

const mail = record({
  verb: fc.constant('MAIL' as const),
  reversePath: fc.option(address),
  parameters: record({
    size: fc.option(fc.nat()),
    body: fc.option(fc.constantFrom('7bit' as const, '8bitmime' as const)),
    smtputf8: fc.boolean(),
    ret: fc.option(fc.constantFrom('full' as const, 'hdrs' as const)),
    envid: fc.option(printable),
    auth: fc.option(fc.oneof(fc.constant('unknown' as const), address)),
  }),
}).filter(({ reversePath, parameters }) => parameters.smtputf8 || isAscii(reversePath))
const rcpt = record({
  verb: fc.constant('RCPT' as const),
  recipient: fc.oneof(address, fc.constant({ local: 'Postmaster', domain: '' })),
  parameters: record({
    notify: fc.option(fc.subarray(['success', 'failure', 'delay'] as const)),
    orcpt: fc.option(printable.map((text) => `rfc822;${text}`)),
  }),
})
const argument = fc.string({ unit: fc.constantFrom(...'ab <@>é'), maxLength: 10 }).map((text) => text.trim())
const commands: fc.Arbitrary<Exclude<Command, { verb: 'AUTH' }>> = fc.oneof(
  mail,
  rcpt,
  record({
    verb: fc.constantFrom('EHLO' as const, 'HELO' as const, 'LHLO' as const),
    name: fc.constantFrom('a.test', '[192.0.2.1]', '[IPv6:::1]', 'my_host', 'x'),
  }),
  record({ verb: fc.constantFrom('DATA' as const, 'RSET' as const, 'QUIT' as const, 'STARTTLS' as const) }),
  record({ verb: fc.constant('BDAT' as const), size: fc.nat(), last: fc.boolean() }),
  record({ verb: fc.constantFrom('NOOP' as const, 'HELP' as const, 'VRFY' as const, 'EXPN' as const), argument }),
)

describe('commands', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(commands, (command) => assert.deepEqual(parse(formatCommand(command)), command)),
      { numRuns: 2000 },
    )
  })

  test('any octets are a command or an SmtpError, and a command that was read is written and read again', () => {
    const verbs = fc.constantFrom('MAIL FROM:', 'RCPT TO:', 'BDAT ', 'EHLO ', 'AUTH ', 'VRFY ', 'rcpt to:<', '')
    const octets = fc.tuple(verbs, fc.oneof(fc.string({ unit: 'binary' }), fc.string())).map((all) => all.join(''))
    fc.assert(
      fc.property(octets, (line) => {
        let command: Command
        try {
          command = parse(line)
        } catch (error) {
          assert.ok(error instanceof SmtpError, String(error))
          return
        }
        if (command.verb !== 'AUTH') assert.deepEqual(parse(formatCommand(command)), command)
      }),
      { numRuns: 3000 },
    )
  })

  test('what mail programs write', () => {
    const a = { local: 'a', domain: 'example.test' }
    const mailFrom = (reversePath: Address | null, more = {}) => ({
      verb: 'MAIL',
      reversePath,
      parameters: { ...NO_MAIL_PARAMETERS, ...more },
    })
    assert.deepEqual(parse('mail from:<a@Example.TEST>'), mailFrom(a))
    assert.deepEqual(
      parse('MAIL FROM: <a@example.test> size=100 BODY=8BITMIME '),
      mailFrom(a, { size: 100, body: '8bitmime' }),
    )
    assert.deepEqual(parse('MAIL FROM:<@one.test,@two.test:a@example.test>'), mailFrom(a))
    assert.deepEqual(
      parse('MAIL FROM:<> RET=HDRS ENVID=QQ+2B314159'),
      mailFrom(null, { ret: 'hdrs', envid: 'QQ+314159' }),
    )
    assert.deepEqual(parse('MAIL FROM:<"a> b"@example.test>'), mailFrom({ local: 'a> b', domain: 'example.test' }))
    assert.deepEqual(
      parse('MAIL FROM:<é@example.test> SMTPUTF8'),
      mailFrom({ local: 'é', domain: 'example.test' }, { smtputf8: true }),
    )
    assert.deepEqual(parse('MAIL FROM:<a@example.test> AUTH=<>'), mailFrom(a, { auth: 'unknown' }))
    assert.deepEqual(
      parse('MAIL FROM:<a@example.test> AUTH=e+3Dmc2@example.test'),
      mailFrom(a, { auth: parseAddress('e=mc2@example.test') }),
    )
    assert.deepEqual(parse('RCPT TO:<a@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@example.test'), {
      verb: 'RCPT',
      recipient: a,
      parameters: { notify: ['success', 'delay'], orcpt: 'rfc822;Bob+x@example.test' },
    })
    assert.deepEqual(parse('RCPT TO:<a@example.test> NOTIFY=NEVER'), {
      verb: 'RCPT',
      recipient: a,
      parameters: { ...NO_RCPT_PARAMETERS, notify: [] },
    })
    assert.deepEqual(parse('rcpt to:<postmaster>'), {
      verb: 'RCPT',
      recipient: { local: 'postmaster', domain: '' },
      parameters: NO_RCPT_PARAMETERS,
    })
    assert.deepEqual(parse('bdat 0 last'), { verb: 'BDAT', size: 0, last: true })
    assert.deepEqual(parse('QUIT '), { verb: 'QUIT' })
  })

  test('a credential stays octets, in the memory of the line', () => {
    const line = Buffer.from('AUTH PLAIN AGEAYg==')
    const command = parseCommand(line)
    assert.ok(command.verb === 'AUTH' && command.mechanism === 'PLAIN')
    assert.equal(command.initialResponse?.buffer, line.buffer)
    assert.equal(String(command.initialResponse), 'AGEAYg==')
    assert.deepEqual(parse('auth login'), { verb: 'AUTH', mechanism: 'LOGIN', initialResponse: null })
  })

  for (const [line, expected] of [
    ['', '500 5.5.1'],
    ['GET / HTTP/1.1', '500 5.5.1'],
    ['XYZZY', '500 5.5.1'],
    ['EHLO', '501 5.5.4'],
    ['EHLO a.test (x', '501 5.5.4'],
    ['MAIL', '501 5.5.4'],
    ['MAIL FROM:a@example.test', '501 5.1.7'],
    ['MAIL FROM:<a@example.test', '501 5.1.7'],
    ['MAIL FROM:<a b@example.test>', '501 5.1.7'],
    ['MAIL FROM:<@one.test>', '501 5.1.7'],
    ['MAIL FROM:<é@example.test>', '553 5.6.7'],
    ['MAIL FROM:<a@example.test>SIZE=1', '501 5.5.4'],
    ['MAIL FROM:<a@example.test> SIZE=1x', '501 5.5.4'],
    ['MAIL FROM:<a@example.test> SIZE=1 SIZE=1', '501 5.5.4'],
    ['MAIL FROM:<a@example.test> BODY=BINARYMIME', '501 5.5.4'],
    ['MAIL FROM:<a@example.test> __PROTO__=1', '555 5.5.4'],
    ['MAIL FROM:<a@example.test> REQUIREMENT', '555 5.5.4'],
    ['MAIL FROM:<a@example.test> ENVID=a+0D+0AX', '501 5.5.4'],
    ['RCPT TO:<>', '501 5.1.3'],
    ['RCPT TO:<a@example.test> NOTIFY=NEVER,DELAY', '501 5.5.4'],
    ['RCPT TO:<a@example.test> NOTIFY=', '501 5.5.4'],
    ['RCPT TO:<a@example.test> ORCPT=rfc822;a+00b', '501 5.5.4'],
    ['RCPT TO:<a@example.test> ORCPT=a@b', '501 5.5.4'],
    ['DATA now', '501 5.5.4'],
    ['NOOP \0', '500 5.5.2'],
    ['NOOP a\rb', '500 5.5.2'],
    ['NOOP a\nb', '500 5.5.2'],
    ['NOOP \x7f', '500 5.5.2'],
    ['AUTH', '501 5.5.4'],
  ] as const) {
    test(`${JSON.stringify(line)} is ${expected}`, () => assert.equal(refusal(line), expected))
  }

  test('octets that are not UTF-8', () => {
    assert.throws(() => parseCommand(Buffer.from('VRFY \xff', 'latin1')), /500/)
  })

  test('BDAT without a readable size loses the place', () => {
    for (const line of ['BDAT', 'BDAT x', 'BDAT -1', 'BDAT 1 FIRST', 'BDAT 9999999999999999']) {
      assert.throws(() => parse(line), LostChunk)
    }
  })
})

test('xtext: inverse, and never a control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a+= 2BZé') }), (text) =>
      assert.equal(decodeXtext(encodeXtext(text)), text),
    ),
  )
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('+', '0', 'D', 'A', '=', 'x', ' ', '7', 'F') }), (text) => {
      const decoded = decodeXtext(text)
      assert.ok(decoded === null || !/[\0-\x1f\x7f]/.test(decoded))
    }),
  )
  for (const bad of ['+', '+4', '+4G', 'a b', 'a=b', '+0D', '+80', '+4+42']) assert.equal(decodeXtext(bad), null)
})
