/** How clients of lines with a login are treated, whatever they speak. */

/** What browsers and scanners say first; nobody who speaks mail does. */
export const HTTP_VERBS: ReadonlySet<string> = new Set([
  ...['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'DELETE', 'PATCH', 'TRACE'],
])

/** Commands of one client after which others get their turn. */
export const TURN = 64

/** After login, a client may get this many times as much wrong in a row. */
export const PATIENCE_AFTER_LOGIN = 10

export const WRONG = 'User or password is wrong'
/** Programs that choose SCRAM by themselves do not tell their users. */
export const WRONG_BY_SCRAM = 'User or password is wrong; by SCRAM only app passwords log in'

export const PASSPHRASE_WANTED =
  'This account also wants its passphrase, which mail programs cannot ask for: use an app password'
