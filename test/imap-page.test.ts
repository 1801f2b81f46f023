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
    '# What the IMAP server speaks',
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
