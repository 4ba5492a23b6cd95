import { describe, expect, it } from 'vitest'
import { clientAddress, senderOf } from '../../../src/server/client-address.ts'
import { fromFetchRequest } from '../../../src/server/fetch/fetch.ts'

function addressOf(socket: string | undefined, forwarded?: string, trustProxy = 0): string {
  const headers = new Headers(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded })
  const request = fromFetchRequest(new Request('http://gateway/', { headers }))
  return clientAddress({ ...request, address: socket }, trustProxy)
}

describe('the address of a client', () => {
  it("is the socket's, whatever the request says, unless proxies are trusted", () => {
    expect(addressOf('192.0.2.1')).toBe('192.0.2.1')
    expect(addressOf('192.0.2.1', '198.51.100.7')).toBe('192.0.2.1')
  })

  it('is what the outermost trusted proxy saw, not what the client wrote before it', () => {
    const forwarded = '203.0.113.66, 198.51.100.7, 10.0.0.2'
    expect(addressOf('10.0.0.1', forwarded, 1)).toBe('10.0.0.2')
    expect(addressOf('10.0.0.1', forwarded, 2)).toBe('198.51.100.7')
  })

  it.each([
    ['nothing was forwarded', undefined, '10.0.0.1'],
    ['it is empty', '', '10.0.0.1'],
    ['it is garbage', 'unknown', '10.0.0.1'],
    ['garbage stands before it', 'unknown, 198.51.100.7', '198.51.100.7'],
    ['there are fewer proxies than trusted', '198.51.100.7', '198.51.100.7'],
  ])('is the furthest that can be believed when %s', (_what, forwarded, address) => {
    expect(addressOf('10.0.0.1', forwarded, 2)).toBe(address)
  })

  it.each([
    ['198.51.100.7:4711', '198.51.100.7'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['[2001:db8::1]:443', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('is read as it is written: %s', (forwarded, address) => {
    expect(addressOf('10.0.0.1', forwarded, 1)).toBe(address)
  })

  it('of IPv6 is the network, of which one client has all', () => {
    const network = '2001:db8:1:2'
    expect(addressOf('2001:db8:1:2::1')).toBe(network)
    expect(addressOf('2001:0DB8:0001:0002:ffff:ffff:ffff:ffff')).toBe(network)
    expect(addressOf('2001:db8:1:3::1')).not.toBe(network)
    expect(addressOf('::1')).toBe('0:0:0:0')
    expect(addressOf('2001::3:4:5:6')).toBe('2001:0:0:0')
  })

  it('is one for all whose server does not tell', () => {
    expect(addressOf(undefined)).toBe('unknown')
    expect(addressOf(undefined, '198.51.100.7', 1)).toBe('198.51.100.7')
  })
})

describe('the sender of a request', () => {
  function sender(client: string, headers: Readonly<Record<string, string>> = {}): string {
    const given = new Headers({ ...headers, 'x-forwarded-for': client })
    const request = fromFetchRequest(new Request('http://gateway/', { headers: given }))
    return senderOf({ ...request, address: '10.0.0.1' }, 1)
  }

  it('without a credential is the client, so that those behind one proxy do not wait for each other', () => {
    expect(sender('198.51.100.7')).not.toBe(sender('198.51.100.8'))
    expect(sender('198.51.100.7')).toBe(sender('198.51.100.7'))
  })

  it('with a credential is its owner, wherever it comes from', () => {
    const headers = { authorization: 'Bearer token' }
    expect(sender('198.51.100.7', headers)).toBe(sender('198.51.100.8', headers))
    expect(sender('198.51.100.7', { ...headers, 'x-session-subject': 'anna' })).not.toBe(
      sender('198.51.100.7', { ...headers, 'x-session-subject': 'ben' }),
    )
  })
})
