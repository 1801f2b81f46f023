/**
 * What a benchmark tells. Each file of this folder exports `bench: Benchmark`; `npm run bench -- NAME [--json]` runs it and hands it a
 * Reporter. A benchmark sets its peer up beside us, gives both the same work in turn, three times or more, and reports medians.
 */

export interface Figure {
  /** What was measured: "readable, persistent connections". */
  readonly figure: string
  /** "messages/s", "ms", "MB". */
  readonly unit: string
  readonly ours: number
  /** null when there is nothing beside us to compare with. */
  readonly peer: number | null
  readonly peerName: string | null
  /**
   * How many times better than the peer we are, whichever direction is better (2 = twice as fast, or half the memory).
   * Without a peer: ours against `target`'s absolute value is judged instead, and this is null.
   */
  readonly ratio: number | null
  /** The ratio that is promised; for figures without a peer the absolute value; null when the figure is only told. */
  readonly target: number | null
  readonly better: 'higher' | 'lower'
}

/** A figure before the ratio is known. */
export type Measured = Omit<Figure, 'ratio' | 'peer' | 'peerName' | 'target'> & {
  readonly peer?: number
  readonly peerName?: string
  readonly target?: number
}

export interface Reporter {
  /** Progress and remarks, for people. */
  note(text: string): void
  /** Adds a line to the table. */
  figure(measured: Measured): void
}

export interface Benchmark {
  readonly name: string
  /** One line for `npm run bench`. */
  readonly about: string
  run(report: Reporter): Promise<void>
}
