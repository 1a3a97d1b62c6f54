import fc from 'fast-check'
import t from 'tap'
import { addressBlock } from '../../lib/user/address.js'

t.test('an IPv4 address is a block of its own', async (t) => {
  t.equal(addressBlock('203.0.113.7'), '203.0.113.7')
  t.not(addressBlock('203.0.113.7'), addressBlock('203.0.113.8'))
  fc.assert(fc.property(fc.ipV4(), fc.ipV4(), (one, other) => addressBlock(one) === one && (addressBlock(one) === addressBlock(other)) === (one === other)), { numRuns: 300 })
})

t.test('an IPv4 address that is mapped into IPv6 is the IPv4 address, in every spelling', async (t) => {
  for (const spelling of ['::ffff:203.0.113.7', '::FFFF:203.0.113.7', '::ffff:cb00:7107', '::ffff:CB00:7107', '0:0:0:0:0:ffff:203.0.113.7', '0000:0000:0000:0000:0000:ffff:cb00:7107', '::ffff:203.0.113.7%eth0']) {
    t.equal(addressBlock(spelling), '203.0.113.7', spelling)
  }
  fc.assert(fc.property(fc.ipV4(), (address) => addressBlock(`::ffff:${address}`) === address), { numRuns: 300 })
})

t.test('of an IPv6 address the first 64 bits count', async (t) => {
  t.equal(addressBlock('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.equal(addressBlock('2001:db8:1:2::'), '2001:db8:1:2::/64')
  t.equal(addressBlock('2001:DB8:0001:0002:FFFF:FFFF:FFFF:FFFF'), '2001:db8:1:2::/64')
  t.not(addressBlock('2001:db8:1:3::1'), addressBlock('2001:db8:1:2::1'), 'a neighbour')
  t.equal(addressBlock('::1'), '0:0:0:0::/64')
})

t.test('two IPv6 addresses are in one block exactly where their first 64 bits are alike', async () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  const half = fc.array(group, { minLength: 4, maxLength: 4 })
  const text = (groups: number[]): string => groups.map((part) => part.toString(16)).join(':')
  const mapped = (network: number[], host: number[]): boolean => [...network, host[0]].every((part) => part === 0) && host[1] === 0xffff
  fc.assert(fc.property(half, half, half, half, fc.nat(3), (network, other, host, another, index) => {
    fc.pre(!mapped(network, host) && !mapped(network, another))
    const block = addressBlock(text([...network, ...host]))
    const neighbour = [...network]
    neighbour[index] = (neighbour[index] as number) ^ 1
    fc.pre(!mapped(neighbour, host) && !mapped(other, host))
    return block !== undefined && block === addressBlock(text([...network, ...another])) && block !== addressBlock(text([...neighbour, ...host])) &&
      (block === addressBlock(text([...other, ...host]))) === (text(network) === text(other))
  }), { numRuns: 1000 })
})

t.test('a zone says where an address is reached, not whose it is', async (t) => {
  t.equal(addressBlock('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.equal(addressBlock('fe80::2%1'), addressBlock('fe80::1%eth0'))
})

t.test('what is no address has no block', async (t) => {
  const garbage = [
    undefined, '', ' ', 'unknown', 'localhost', 'example.com', '256.0.0.1', '1.2.3.4.5', '1.2.3.4:80', '1.2.3.4/24', ' 1.2.3.4', '1.2.3.4 ', '1.2.3.4, 5.6.7.8', '[::1]', '[::1]:80',
    '::1/64', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'g::1', '::ffff:999.1.1.1', '::1%', '1.2.3.4\0', '__proto__', 'constructor', '1'.repeat(100_000), ':'.repeat(100_000)
  ]
  for (const address of garbage) t.equal(addressBlock(address), undefined, JSON.stringify(address)?.slice(0, 40))
})

t.test('any text has a block or none, and nothing throws', async () => {
  const almost = fc.string({ unit: fc.constantFrom(...'0123456789abcdefx:.%/[] '), maxLength: 45 })
  fc.assert(fc.property(fc.oneof(almost, fc.string(), fc.ipV6(), fc.array(fc.nat(0xffff), { maxLength: 20 }).map((units) => String.fromCharCode(...units))), (text) => {
    const block = addressBlock(text)
    return block === undefined || /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}::\/64)$/.test(block)
  }), { numRuns: 5000 })
})
