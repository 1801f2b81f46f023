/** docs/imap.md is printed from the table of capabilities: `node test/imap-page.test.ts --write` renews it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CAPABILITIES, type Capability } from '#servers/imap/capabilities.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = `${root}docs/imap.md`

/** Sections that the files of the IMAP server and its grammar name, by RFC. */
function pinned(): Map<number, Set<string>> {
  const sections = new Map<number, Set<string>>()
  for (const room of ['src/servers/imap/', 'src/formats/imap/'])
    for (const file of readdirSync(root + room, { recursive: true }).map(String)) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
      const text = readFileSync(root + room + file, 'utf8')
      for (const [, number, section] of text.matchAll(/RFC (\d{3,5})(?: §([0-9A-Z]+(?:\.\d+)*))?/g)) {
        const found = sections.get(Number(number)) ?? new Set()
        sections.set(Number(number), found)
        if (section) found.add(section)
      }
    }
  return sections
}

const inOrder = (sections: ReadonlySet<string>) =>
  [...sections].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((section) => `§${section}`)

const SHOWN: Readonly<Record<Capability['shown'], string>> = {
  always: 'always',
  'before login': 'before login',
  'before TLS': 'before TLS',
  'with TLS': 'before login, over TLS',
  'after login': 'after login',
}

const HEAD = `# What the IMAP server speaks

\`ports.imaps\` (TLS) and \`ports.imap\` (STARTTLS): 993 and 143, in the high scheme 9993 and 1143. The user name is the address. The password unlocks the
mail, and so does an app password whose scope has \`imap\`; nothing that could be listened to is taken without TLS.

- **Sealed mail looks like any other.** Contents go out octet by octet as they came, but for a NUL, which no literal may hold (RFC 9051 §4.3): 0x80 stands for it, and BINARY has it as
  it is. Sizes, envelopes and structures are exact. Flags, dates and uids need no key, so
  opening a mailbox costs the same at ten messages and at a hundred thousand. The first session after much mail has come opens its summaries in the
  background, the newest first, and whatever is asked for at once.
- **SEARCH means what the RFC says**: any part of any text, in decoded headers, text parts and names of attachments, without case and accents. An index answers it that
  is in clear only in memory while its owner is logged in (\`search.index\`, [decision 0014](decisions/0014-search.md)). What it does not cover yet is opened and looked at:
  slower, never missed. \`letterlock account show\` says how far it is.
- **IMAP4rev2 is for clients that enable it**; all others are spoken to as IMAP4rev1 has it.
- **News come at once** to clients in IDLE or with NOTIFY, whichever process serves them.
- **A message that no key opens** (after a reset, until the old password is found) stays where it is: its flags, dates and uid are told, its content is refused.
- **Idle clients** are ended after 31 minutes, and after two minutes those that have not logged in. How many clients there may be: \`[limits]\` in [config.md](config.md).
`

function print(): string {
  const sections = pinned()
  const lines = CAPABILITIES.map(({ name, rfcs, shown, gives }) => {
    const where = rfcs.map((number) => {
      const named = sections.get(number)
      assert.ok(named, `no line of the IMAP server names RFC ${number}, which ${name} stands on`)
      return [`RFC ${number}`, ...inOrder(named)].join(' ')
    })
    return `| \`${name}${name.endsWith('=') ? '…' : ''}\` | ${gives} | ${SHOWN[shown]} | ${where.join('<br>')} |`
  })
  return [
    HEAD,
    '## Capabilities',
    '',
    'Printed from the table of capabilities: each row was completed with its dialogs, and each is tried by a test.',
    'The sections are those that lines of the source name.',
    '',
    '| capability | what it gives | told | RFC and sections |',
    '|---|---|---|---|',
    ...lines,
    '',
  ].join('\n')
}

if (process.argv.includes('--write')) writeFileSync(page, print())
else {
  test('docs/imap.md is what the table of capabilities says', () =>
    assert.ok(readFileSync(page, 'utf8') === print(), 'docs/imap.md is older than the source: npm run pages renews it'))
  test('a capability is named once', () => {
    const names = CAPABILITIES.map(({ name }) => name)
    assert.deepEqual([...new Set(names)], names)
  })
}
