/** version */
import type { Call } from './call.ts'
import { SopFailure } from './failure.ts'

const PRODUCT = 'letterlock-sop 0.1.0'

export async function version(call: Call): Promise<void> {
  const asked = ['backend', 'extended', 'sop-spec', 'sopv'].filter((flag) => call.has(flag))
  if (asked.length > 1) throw new SopFailure('INCOMPATIBLE_OPTIONS', 'one question at a time')
  const { node, openssl } = process.versions
  switch (asked[0]) {
    case 'backend':
      return call.write(`node:crypto (OpenSSL ${openssl})\n`)
    case 'extended':
      return call.write(`${PRODUCT}\nnode ${node}\nOpenSSL ${openssl}\nopenpgp.js for locked keys and passwords\n`)
    case 'sop-spec':
      // the tilde: incomplete; the lines below the empty one say how
      return call.write(
        '~draft-dkg-openpgp-stateless-cli-14\n\nupdate-key, merge-certs, certify-userid and validate-userid are not there.\n',
      )
    case 'sopv':
      return call.write('1.0\n')
    default:
      return call.write(`${PRODUCT}\n`)
  }
}
