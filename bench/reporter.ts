/**
 * What a benchmark tells. Each file of this folder that is one exports `bench: Benchmark`; `npm run bench -- NAME [--json]` runs it and
 * hands it a Reporter. A benchmark sets its peer up beside us, gives both the same work in turn, three times or more, and reports
 * medians.
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
  /** How many times better than the peer we are, whichever direction is better: 2 is twice as fast, or half the memory. */
  readonly ratio: number | null
  /** The ratio that is promised; for a figure without a peer the absolute value; null when the figure is only told. */
  readonly target: number | null
  readonly better: 'higher' | 'lower'
}

/** A figure before its ratio is known. */
export type Measured = Pick<Figure, 'figure' | 'unit' | 'ours' | 'better'> & {
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
  /** One line for the list of benchmarks. */
  readonly about: string
  /** `options` are the `--name=value` arguments. */
  run(report: Reporter, options: ReadonlyMap<string, string>): Promise<void>
}
