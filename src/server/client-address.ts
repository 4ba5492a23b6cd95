import { isIP } from 'node:net'
import type { HttpRequest } from './http.ts'

/**
 * Whom a client's requests are counted for: its IPv4 address, or the /64 network of its IPv6 address, of which one
 * client has all. Behind `trustProxy` proxies, each of which appends to `X-Forwarded-For` whom it was asked by, the
 * address is the one that the outermost of them saw; what stands before is only said by the client.
 */
export function clientAddress(request: HttpRequest, trustProxy: number): string {
  const forwarded = (request.headers.get('x-forwarded-for') ?? '').split(',')
  const seen = [...forwarded.map(parseAddress), parseAddress(request.address ?? '')]
  // From our own socket outwards, one for each proxy: the first thing that is no address ends the trust.
  let address = seen.at(-1)
  for (let hop = 1; hop <= trustProxy; hop += 1) {
    const next = seen.at(-1 - hop)
    if (next === undefined) break
    address = next
  }
  return address ?? 'unknown'
}

/** Undefined: no address. Ports and zones are left out. */
function parseAddress(text: string): string | undefined {
  const trimmed = text.trim()
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed) ?? []
  const [bare = ''] = (bracketed ?? trimmed.replace(/^([\d.]+):\d+$/, '$1')).split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare
  switch (isIP(mapped)) {
    case 4:
      return mapped
    case 6:
      return networkOf(mapped)
    default:
      return undefined
  }
}

/** The first four of eight groups. */
function networkOf(address: string): string {
  // The URL parser writes an address in its one normal form, an embedded IPv4 address as groups.
  const normal = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = normal.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4).join(':')
}
