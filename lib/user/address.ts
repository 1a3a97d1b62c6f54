import ipaddr from 'ipaddr.js'

/**
 * The block of addresses that one subscriber holds: an IPv4 address, also one
 * that is mapped into IPv6, as it is; of IPv6 the first 64 bits (RFC 6177), since
 * whoever has one such address has them all. Undefined for what is no address.
 */
export function addressBlock (address: string | undefined): string | undefined {
  if (address === undefined || !ipaddr.isValid(address)) return undefined
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16)).join(':')}::/64`
}
