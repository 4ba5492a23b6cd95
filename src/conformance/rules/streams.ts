import type { Rule } from '../rule.ts'
import { demand, repliesDocument } from '../subject.ts'

const mediaTypes = {
  SSE: /^text\/event-stream\b/,
  multipart: /^multipart\/mixed;.*\bsubscriptionSpec=1\.0/,
} as const

export const streamRules: readonly Rule[] = [
  {
    id: '1.1',
    level: 'MUST',
    sentence:
      'A subscription is answered as `text/event-stream`, as `multipart/mixed` with `subscriptionSpec=1.0`, or over a WebSocket with the subprotocol `graphql-transport-ws`, whichever the client asks for.',
    async check(subject) {
      for (const { transport, observations } of (await subject.sample()).readings) {
        const [head] = observations
        demand(head?.kind === 'head', `${transport.name}: no response`)
        const { status, headers } = head
        if (transport.name === 'WebSocket') {
          const protocol = headers.get('protocol')
          demand(protocol === 'graphql-transport-ws', `WebSocket: the subprotocol is ${protocol}`)
          continue
        }
        const type = headers.get('content-type') ?? 'nothing'
        demand(status === 200, `${transport.name}: status ${status}`)
        demand(mediaTypes[transport.name].test(type), `${transport.name}: it is ${type}`)
      }
    },
  },
  {
    id: '1.2',
    level: 'MUST',
    sentence:
      'The server sends something before the first event: a comment, an empty part, or `connection_ack`.',
    async check(subject) {
      for (const { transport, observations } of (await subject.sample()).readings) {
        const first = observations.find(({ kind }) => kind !== 'head')?.kind ?? 'nothing'
        demand(first === 'alive', `${transport.name}: the first thing is ${first}`)
      }
    },
  },
  {
    id: '1.3',
    level: 'MUST',
    sentence:
      'While it sends nothing else, the server sends a comment, an empty part or a ping of WebSocket at least once in `viewer.keepAliveMs`.',
    async check(subject) {
      const { data } = await subject.ask<{ viewer: { keepAliveMs: number } }>(
        'query Conformance { viewer { keepAliveMs } }',
      )
      const keepAliveMs = data?.viewer.keepAliveMs ?? 0
      demand(keepAliveMs > 0, `viewer.keepAliveMs is ${keepAliveMs}`)
      await Promise.all(
        subject.transports.map(async (transport) => {
          // The first sign of life says that the stream is open. Late by a second is the network's doing.
          const deadline = AbortSignal.timeout(2 * keepAliveMs + 1_000)
          let signs = 0
          try {
            const signal = AbortSignal.any([subject.signal, deadline])
            const request = { token: subject.token, query: repliesDocument }
            for await (const { kind } of transport.open(request, signal)) {
              if (kind === 'alive') signs += 1
              if (signs === 3) break
            }
          } catch (error) {
            if (!deadline.aborted) throw error
          }
          const silence = `fewer than two signs of life in ${2 * keepAliveMs} ms`
          demand(signs === 3, `${transport.name}: ${silence}`)
        }),
      )
    },
  },
  {
    id: '1.4',
    level: 'SHOULD',
    sentence:
      'A streamed response has `cache-control` with `no-store` and `no-transform`, and `x-accel-buffering: no`, so that no intermediary holds it back.',
    async check(subject) {
      for (const { transport, observations } of (await subject.sample()).readings) {
        const [head] = observations
        if (transport.name === 'WebSocket' || head?.kind !== 'head') continue
        const control = head.headers.get('cache-control') ?? ''
        const isKept = control.includes('no-store') && control.includes('no-transform')
        demand(isKept, `${transport.name}: cache-control is "${control}"`)
        const buffering = head.headers.get('x-accel-buffering')
        demand(buffering === 'no', `${transport.name}: x-accel-buffering is ${buffering}`)
      }
    },
  },
]
