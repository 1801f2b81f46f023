/** The index as a page for people: one certificate or very few, since nothing is searched for but by its exact name. */
import type { IndexEntry } from '#formats/hkp/index-entry.ts'
import { type Answer, found } from './answer.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => ESCAPES[char]!)
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

export function indexPage(entries: readonly IndexEntry[], now: number, maxAge: number): Answer {
  const body = [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    '<title>OpenPGP certificates</title>',
    '<h1>OpenPGP certificates</h1>',
    ...entries.flatMap((entry) => section(entry, now)),
    '</html>',
    '',
  ].join('\n')
  const fields = [
    'content-security-policy',
    "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy',
    'no-referrer',
  ]
  return found({ type: 'text/html; charset=utf-8', body, maxAge, fields })
}

function section({ fingerprint, created, expires, revoked, userIds }: IndexEntry, now: number): readonly string[] {
  const state = [
    `made on ${day(created)}`,
    ...(expires === null ? [] : [`${expires <= now ? 'expired' : 'expires'} on ${day(expires)}`]),
    ...(revoked ? ['revoked'] : []),
  ]
  return [
    `<h2><a href="/pks/lookup?op=get&amp;search=0x${fingerprint}">${fingerprint}</a></h2>`,
    `<p>${state.join(', ')}</p>`,
    '<ul>',
    ...userIds.map((userId) => `<li>${escaped(userId)}</li>`),
    '</ul>',
  ]
}
