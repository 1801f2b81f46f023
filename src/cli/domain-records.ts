/** `letterlock domain records`: every DNS record that a domain of ours needs for what this version does, ready to paste. */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { LoadedConfig } from '#config/load.ts'
import { answer, type OutputOptions, tabulate } from './output.ts'

export interface DnsRecord {
  readonly name: string
  readonly type: 'MX' | 'A' | 'AAAA' | 'TXT' | 'SRV' | 'TLSA' | 'CNAME' | 'OPENPGPKEY'
  readonly value: string
  readonly why: string
}

/** RFC 7671 §5.1: DANE-EE, SubjectPublicKeyInfo, SHA-256: survives a renewed certificate that keeps its key. */
function tlsa(certificate: string): string {
  const publicKey = new X509Certificate(readFileSync(certificate)).publicKey.export({ type: 'spki', format: 'der' })
  return `3 1 1 ${createHash('sha256').update(publicKey).digest('hex')}`
}

/** A service that is off is published as "." so that clients do not guess (RFC 6186 §3.4, RFC 2782). */
const service = (port: number, hostname: string, priority = 0): string =>
  port === 0 ? '0 0 0 .' : `${priority} 1 ${port} ${hostname}.`

/** RFC 6186 §3.4: of IMAP and POP3, clients take what has the lower number. */
const LESS_WANTED = 10

export async function recordsOf(domain: string, config: LoadedConfig): Promise<DnsRecord[]> {
  const { hostname, ports, bind } = config
  const address: DnsRecord[] =
    isIP(bind) && bind !== '0.0.0.0' && bind !== '::'
      ? [{ name: `${hostname}.`, type: isIP(bind) === 6 ? 'AAAA' : 'A', value: bind, why: "this server's address" }]
      : []
  return [
    { name: `${domain}.`, type: 'MX', value: `10 ${hostname}.`, why: 'mail for the domain comes here' },
    ...address,
    {
      name: `${domain}.`,
      type: 'TXT',
      value: '"v=spf1 mx -all"',
      why: 'only this server sends for the domain (RFC 7208)',
    },
    {
      name: `_dmarc.${domain}.`,
      type: 'TXT',
      value: '"v=DMARC1; p=none"',
      why: 'what others do with forged mail (RFC 9989)',
    },
    {
      name: `_25._tcp.${hostname}.`,
      type: 'TLSA',
      value: tlsa(config.tls.certificate),
      why: 'the TLS key other servers must see; needs DNSSEC (RFC 7672)',
    },
    {
      name: `_submissions._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.submissions, hostname),
      why: 'mail clients find the way out (RFC 8314)',
    },
    {
      name: `_submission._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.submission, hostname),
      why: 'the same with STARTTLS (RFC 6186)',
    },
    {
      name: `_imaps._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.imaps, hostname),
      why: 'mail clients find the mailbox (RFC 6186)',
    },
    {
      name: `_imap._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.imap, hostname),
      why: 'the same with STARTTLS (RFC 6186)',
    },
    {
      name: `_pop3s._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.pop3s, hostname, LESS_WANTED),
      why: 'mail clients that fetch mail and keep it themselves (RFC 6186)',
    },
    {
      name: `_pop3._tcp.${domain}.`,
      type: 'SRV',
      value: service(ports.pop3, hostname, LESS_WANTED),
      why: 'the same with STLS (RFC 6186)',
    },
    ...keyserverRecords(domain, config),
  ]
}

/** Others find the keyserver by one of three names: that of the drafts, that of most providers, and that of GnuPG. */
function keyserverRecords(domain: string, { hostname, ports }: LoadedConfig): readonly DnsRecord[] {
  const why = {
    _hkp: 'others find the keys of the domain; needs DNSSEC (draft-ietf-openpgp-hkp)',
    _hkps: 'the same, for those who ask by this name',
    '_pgpkey-https': 'the same, for GnuPG with the domain as its keyserver',
  }
  const services = Object.entries(why).map(([name, reason]): DnsRecord => {
    return { name: `${name}._tcp.${domain}.`, type: 'SRV', value: service(ports.https, hostname), why: reason }
  })
  if (ports.https !== 443) return services
  // draft-koch-openpgp-webkey-service §3.1: always port 443, and a host that resolves must answer.
  const directory = 'Web Key Directory; the TLS certificate must name this host too'
  return [...services, { name: `openpgpkey.${domain}.`, type: 'CNAME', value: `${hostname}.`, why: directory }]
}

/** Long values stand apart, so that the others stay a table. */
export function zoneText(records: readonly DnsRecord[]): string {
  const row = ({ name, type, value, why }: DnsRecord) => [name, 'IN', type, value, `; ${why}`]
  const [keys, others] = [true, false].map((isKey) => records.filter(({ type }) => (type === 'OPENPGPKEY') === isKey))
  const table = tabulate(['; name', '', 'type', 'value', ''], others!.map(row))
  return [table, ...keys!.map((one) => row(one).join(' '))].join('\n')
}

export async function printRecords(
  domain: string,
  config: LoadedConfig,
  options: OutputOptions & { format?: string; more?: readonly DnsRecord[] },
): Promise<void> {
  const records = [...(await recordsOf(domain, config)), ...(options.more ?? [])]
  answer({ json: options.json === true || options.format === 'json' }, records, zoneText(records))
}
