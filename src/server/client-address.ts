import { isIP } from 'node:net'
import { subjectHeader } from '../auth/api-keys.ts'
import type { HttpRequest } from './http.ts'

/**
 * The key that a client's requests are counted by: its IPv4 address, or the /64 network of its IPv6 address, since one
 * client has the whole network. `trustProxy` proxies each append the address of their client to `X-Forwarded-For`, so the
 * address is the one that the outermost of them saw. The client itself may have written everything before it.
 */
export function clientAddress(request: HttpRequest, trustProxy: number): string {
  const forwarded = (request.headers.get('x-forwarded-for') ?? '').split(',')
  const seen = [...forwarded.map(parseAddress), parseAddress(request.address ?? '')]
  // One entry for each proxy, from our own socket outwards. The first entry that is no address ends the trust.
  let address = seen.at(-1)
  for (let hop = 1; hop <= trustProxy; hop += 1) {
    const next = seen.at(-1 - hop)
    if (next === undefined) break
    address = next
  }
  return address ?? 'unknown'
}

/**
 * The sender of a request, as far as it is known before the credential is checked. The requests of one sender share a
 * queue.
 */
export function senderOf(request: HttpRequest, trustProxy: number): string {
  const { headers } = request
  const credential = headers.get('authorization') ?? headers.get('cookie')
  // The key of a backend is one credential of many users.
  return `${credential ?? clientAddress(request, trustProxy)} ${headers.get(subjectHeader) ?? ''}`
}

/** Returns undefined for what is no address. Ports and zones are left out. */
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
