import type { Keyserver } from '#privacy/keyserver/keyserver.ts'
import type { Answer } from './answer.ts'

export interface Asked {
  readonly method: string
  /** As it stood in the request line. */
  readonly target: string
  /** The Host field, or ''. */
  readonly host: string
}

export interface Target {
  /** Not decoded: what is a separator was decided by the client. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  /** Without the port, lower case. */
  readonly host: string
}

/** What answers are made from. */
export interface Sources {
  readonly keyserver: Keyserver
  /** Milliseconds since the epoch. */
  now(): number
}

/** All that the server needs to know to answer. */
export interface Answering {
  /** Another text once any answer may be another one. */
  revision(): string
  answerTo(asked: Asked): Promise<Answer>
}
