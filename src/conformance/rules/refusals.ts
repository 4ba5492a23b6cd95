import type { Rule } from '../rule.ts'
import { demand, eventsOf, refusalOf, repliesDocument } from '../subject.ts'

/** The code of the subprotocol for a refused connection. */
const forbidden = 4403

export const refusalRules: readonly Rule[] = [
  {
    id: '6.1',
    level: 'MUST',
    sentence:
      'Without a credential a request is refused as 401 `UNAUTHENTICATED` with `WWW-Authenticate`, and a WebSocket is closed with 4403.',
    async check(subject) {
      for (const transport of subject.transports) {
        const seen = await subject.observe(transport, { token: undefined, query: repliesDocument })
        const [head] = seen
        const last = seen.at(-1)
        if (transport.name === 'WebSocket') {
          const code = last?.kind === 'closed' ? last.code : last?.kind
          demand(code === forbidden, `WebSocket: closed with ${code}`)
          continue
        }
        demand(head?.kind === 'head', `${transport.name}: no response`)
        demand(head.status === 401, `${transport.name}: status ${head.status}`)
        const challenge = head.headers.get('www-authenticate')
        demand(challenge !== undefined, `${transport.name}: no WWW-Authenticate`)
        const code = last?.kind === 'errors' ? last.errors[0]?.extensions?.code : last?.kind
        demand(code === 'UNAUTHENTICATED', `${transport.name}: the code is ${code}`)
      }
    },
  },
  {
    id: '6.2',
    level: 'MUST',
    sentence:
      'A reply that the session does not have is `NOT_FOUND`: 404 to a GET, otherwise an error of the stream.',
    async check(subject) {
      const variables = { replyId: 'UmVwbHk6bm8tc3VjaC1yZXBseQ' }
      for (const transport of subject.transports) {
        const code = await refusalOf(subject, transport, { variables })
        demand(code === 'NOT_FOUND', `${transport.name}: ${code}`)
        if (transport.name !== 'SSE') continue
        const [head] = await subject.observe(transport, { method: 'GET', variables })
        const status = head?.kind === 'head' ? head.status : 'none'
        demand(status === 404, `SSE: the status of a GET is ${status}`)
      }
    },
  },
  {
    id: '6.3',
    level: 'MUST',
    sentence:
      'A document that GraphQL refuses is told on the accepted stream: its errors with `extensions.code`, then the end.',
    async check(subject) {
      for (const transport of subject.transports) {
        const seen = await subject.observe(transport, { query: 'subscription { noSuchField }' })
        const [head] = seen
        const status = head?.kind === 'head' ? head.status : 0
        const isAccepted = status === 101 || status === 200 || transport.name === 'multipart'
        demand(isAccepted, `${transport.name}: status ${status}`)
        const error = seen.flatMap((one) => (one.kind === 'errors' ? one.errors : []))[0]
        const code = error?.extensions?.code ?? 'none'
        demand(code === 'GRAPHQL_VALIDATION_FAILED', `${transport.name}: the code is ${code}`)
        demand(eventsOf(seen).length === 0, `${transport.name}: an event`)
      }
    },
  },
  {
    id: '6.4',
    level: 'MUST',
    sentence:
      'A response that a credential led to is stored by no cache: `cache-control` has `private` and `no-store`.',
    async check(subject) {
      const { headers } = await subject.ask('query Conformance { viewer { keepAliveMs } }')
      const control = headers.get('cache-control') ?? ''
      const isPrivate = control.includes('private') && control.includes('no-store')
      demand(isPrivate, `cache-control is "${control}"`)
    },
  },
]
