import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Command, parseCommand } from './command.ts'

const parse = (text: string) => parseCommand(Buffer.from(text))
const kindOf = (text: string) => parse(text).kind

function write(command: Command): Buffer {
  const verb = command.kind.toUpperCase()
  switch (command.kind) {
    case 'user':
      return Buffer.from(`${verb} ${command.name}`)
    case 'pass':
      return Buffer.concat([Buffer.from(`${verb} `), command.password])
    case 'auth': {
      const { mechanism, initial } = command
      if (mechanism === null) return Buffer.from(verb)
      if (initial === null) return Buffer.from(`${verb} ${mechanism}`)
      return Buffer.concat([Buffer.from(`${verb} ${mechanism} `), initial.length === 0 ? Buffer.from('=') : initial])
    }
    case 'list':
    case 'uidl':
      return Buffer.from(command.message === null ? verb : `${verb} ${command.message}`)
    case 'retr':
    case 'dele':
      return Buffer.from(`${verb} ${command.message}`)
    case 'top':
      return Buffer.from(`${verb} ${command.message} ${command.lines}`)
    default:
      return Buffer.from(verb)
  }
}

const number = fc.oneof(fc.nat(), fc.maxSafeNat())
const secret = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((octet) => octet !== 10 && octet !== 13),
    { minLength: 1, maxLength: 300 },
  )
  .map((octets) => Buffer.from(octets))
const base64 = fc
  .uint8Array({ minLength: 1, maxLength: 900 })
  .map((octets) => Buffer.from(Buffer.from(octets).toString('base64')))

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constantFrom<Command[]>(
    ...(['capa', 'noop', 'quit', 'rset', 'stat', 'stls', 'utf8'] as const).map((kind) => ({ kind })),
  ),
  fc.record({
    kind: fc.constant('user' as const),
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((name) => !/[\0\r\n]/.test(name)),
  }),
  fc.record({ kind: fc.constant('pass' as const), password: secret }),
  fc.constant<Command>({ kind: 'auth', mechanism: null, initial: null }),
  fc.record({
    kind: fc.constant('auth' as const),
    mechanism: fc.constantFrom('PLAIN', 'SCRAM-SHA-256', 'X'),
    initial: fc.oneof(fc.constant(null), fc.constant(Buffer.alloc(0)), base64),
  }),
  fc.record({ kind: fc.constantFrom('list' as const, 'uidl' as const), message: fc.option(number) }),
  fc.record({ kind: fc.constantFrom('retr' as const, 'dele' as const), message: number }),
  fc.record({ kind: fc.constant('top' as const), message: number, lines: number }),
)

test('what is written is read again, in any case', () => {
  fc.assert(
    fc.property(command, fc.boolean(), (one, lower) => {
      const line = write(one)
      const end = line.indexOf(32) < 0 ? line.length : line.indexOf(32)
      if (lower) line.write(line.toString('latin1', 0, end).toLowerCase(), 'latin1')
      assert.deepEqual(parseCommand(line), { ...one })
    }),
    { numRuns: 2000 },
  )
})

test('anything may come, and is a command or is not', () => {
  const word = fc.constantFrom(
    'USER',
    'PASS',
    'AUTH',
    'LIST',
    'TOP',
    'RETR',
    ' ',
    '1',
    '-1',
    '99999999999999999999',
    '\0',
    'é',
    '=',
    'PLAIN',
    '1e3',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc.array(word, { maxLength: 12 }).map((all) => Buffer.from(all.join(''))),
      ),
      (octets) => {
        const parsed = parseCommand(Buffer.from(octets))
        if ('message' in parsed && parsed.message !== null)
          assert.ok(Number.isSafeInteger(parsed.message) && parsed.message >= 0)
        if (parsed.kind === 'unintelligible') assert.match(parsed.verb, /^[A-Z0-9]{0,16}$/)
      },
    ),
    { numRuns: 3000 },
  )
})

test('spaces belong to passwords, and are forgiven elsewhere', () => {
  assert.deepEqual(parse('PASS  two  spaces '), { kind: 'pass', password: Buffer.from(' two  spaces ') })
  assert.deepEqual(parse('stat '), { kind: 'stat' })
  assert.deepEqual(parse('TOP  1   0 '), { kind: 'top', message: 1, lines: 0 })
})

test('a password has memory of its own', () => {
  const line = Buffer.from('PASS secret')
  const parsed = parseCommand(line)
  line.fill(0)
  assert.ok(parsed.kind === 'pass')
  assert.equal(parsed.password.toString(), 'secret')
  assert.equal(parsed.password.buffer.byteLength, 6)
})

test('what is no command says so', () => {
  const lines = [
    '',
    ' ',
    'USER',
    'USER ',
    'PASS',
    'RETR',
    'RETR 1 2',
    'RETR -1',
    'RETR 1x',
    'TOP 1',
    'TOP 1 2 3',
    'LIST 1 2',
    'STAT 1',
    'QUIT now',
    'AUTH  PLAIN',
    'APOP x y',
    'RETR 1\0',
    '\x16\x03\x01',
    `NOOP${' '.repeat(600)}`,
    `PASS ${'x'.repeat(600)}`,
  ]
  for (const line of lines) assert.equal(kindOf(line), 'unintelligible', JSON.stringify(line))
  assert.deepEqual(parse('GET / HTTP/1.1'), { kind: 'unintelligible', verb: 'GET', text: 'Unknown command' })
})

test('numbers have no end, and no mailbox is that large', () => {
  assert.deepEqual(parse(`DELE ${'9'.repeat(400)}`), { kind: 'dele', message: Number.MAX_SAFE_INTEGER })
  assert.deepEqual(parse('RETR 0001'), { kind: 'retr', message: 1 })
})
