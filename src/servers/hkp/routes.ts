/** From a request to its answer, without any socket: which of the three protocols is spoken, and what is never spoken. */
import { type Answer, allowed, badRequest, notAllowed, notFound, tooLong } from './answer.ts'
import type { Answering, Asked, Sources, Target } from './asked.ts'
import { lookup } from './version-1.ts'
import { isVersion2Path, options, version2 } from './version-2.ts'
import { directoryAnswer, isDirectoryPath } from './web-key-directory.ts'

const LONGEST_TARGET = 2048

export function createAnswering(sources: Sources): Answering {
  return { revision: () => sources.keyserver.revision(), answerTo: (asked) => answerTo(asked, sources) }
}

async function answerTo(asked: Asked, sources: Sources): Promise<Answer> {
  const { method } = asked
  if (asked.target.length > LONGEST_TARGET) return tooLong
  if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return notAllowed
  const target = splitTarget(asked)
  if (!target) return badRequest
  const { path, query, host } = target
  if (method === 'OPTIONS') return isVersion2Path(path) ? options(path) : allowed
  if (path === '/pks/lookup') return lookup(query, sources)
  if (isVersion2Path(path)) return version2(path, sources)
  if (isDirectoryPath(path)) return directoryAnswer({ path, query, host }, sources)
  return notFound
}

/** RFC 9112 §3.2: the origin form, and the absolute form, whose host counts more than the Host field. null: neither. */
function splitTarget({ target, host, method }: Asked): Target | null {
  if (!/^[\x21-\x7e]*$/.test(target)) return null
  const [, authority, rest = target] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target) ?? []
  if (!rest.startsWith('/') && !(method === 'OPTIONS' && rest === '*')) return null
  if (rest.includes('#')) return null
  const mark = rest.indexOf('?')
  const path = mark < 0 ? rest : rest.slice(0, mark)
  const name = (authority ?? host).toLowerCase().replace(/:\d*$/, '')
  return { path, query: mark < 0 ? '' : rest.slice(mark + 1), host: name }
}
