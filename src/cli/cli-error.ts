/** A refusal or failure in the words that the person at the terminal sees: one clear line, exit status 1. */
export class CliError extends Error {
  override readonly name = 'CliError'
}
