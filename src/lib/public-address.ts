import { BlockList, isIP } from 'node:net'

const notPublic = new BlockList()
// RFC 6890 and its updates: what no other provider's mail server can have.
const V4 = [
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24',
  '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
]
// With the forms in which others' IPv4 addresses were once written: compatible, 6to4, Teredo.
const V6 = ['::/96 2002::/16 2001::/32 64:ff9b:1::/48 100::/64 2001:db8::/32 fc00::/7 fe80::/10 fec0::/10 ff00::/8']
for (const [family, lists] of [
  ['ipv4', V4],
  ['ipv6', V6],
] as const) {
  for (const subnet of lists.join(' ').split(' ')) {
    const [address, bits] = subnet.split('/') as [string, string]
    notPublic.addSubnet(address, Number(bits), family)
    // RFC 6052 §3.1: through a translator an IPv6 address leads to the IPv4 address in it.
    if (family === 'ipv4') notPublic.addSubnet(`64:ff9b::${address}`, 96 + Number(bits), 'ipv6')
  }
}

/** Whether a host of the open Internet can have this IP address: not loopback, private, link-local, multicast or reserved. */
export function isPublicAddress(ip: string): boolean {
  const family = isIP(ip)
  return family !== 0 && !notPublic.check(ip, family === 4 ? 'ipv4' : 'ipv6')
}
