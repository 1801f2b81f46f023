import type { MimePart } from './mime-index.ts'

/** How the whole of a message is protected with OpenPGP, from its structure alone: RFC 3156 §4 and §5. Parts below the root do not count. */
export function sealedKind(root: MimePart): 'encrypted' | 'signed' | null {
  if (isMultipart(root, 'encrypted', 'application/pgp-encrypted')) return 'encrypted'
  return isMultipart(root, 'signed', 'application/pgp-signature') ? 'signed' : null
}

function isMultipart({ type, subtype, parameters, children }: MimePart, wanted: string, protocol: string): boolean {
  if (type !== 'multipart' || subtype !== wanted || children.length !== 2) return false
  return parameters.find(([name]) => name === 'protocol')?.[1]?.toLowerCase() === protocol
}
