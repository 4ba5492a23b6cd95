import type { Observation } from '../observation.ts'
import type { Rule } from '../rule.ts'
import { demand, eventsOf, repliesDocument } from '../subject.ts'

/** WebSocket's code for a restart, after which clients connect again. */
const serviceRestart = 1012
const cancelDocument = `mutation Conformance($input: CancelReplyInput!) {
  cancelReply(input: $input) { ... on CancelReplySuccess { reply { status } } }
}`

export const endingRules: readonly Rule[] = [
  {
    id: '4.1',
    level: 'MUST',
    sentence:
      'A reply that `cancelReply` has stopped ends with `ReplyCancelled`; one that had ended before is unchanged.',
    async check(subject) {
      const replyId = await subject.send()
      const { data } = await subject.ask<{ cancelReply: { reply?: { status: string } } }>(
        cancelDocument,
        { variables: { input: { replyId } } },
      )
      const status = data?.cancelReply.reply?.status ?? 'not told'
      const wanted: Readonly<Record<string, string>> = {
        CANCELLED: 'ReplyCancelled',
        COMPLETED: 'ReplyCompleted',
        FAILED: 'ReplyFailed',
      }
      for (const transport of subject.transports) {
        const observations = await subject.observe(transport, { variables: { replyId } })
        const last = eventsOf(observations).at(-1)?.__typename ?? 'no event'
        const seen = `${transport.name}: the status is ${status}, the last event ${last}`
        demand(last === wanted[status], seen)
      }
    },
  },
  {
    id: '4.2',
    level: 'MUST',
    sentence:
      'When its credential expires, a stream ends with the error `SUBSCRIPTION_TOKEN_EXPIRED` and is complete; `extensions.resumeAfter` is the cursor to resume after with a new credential.',
    needs: 'expiringToken',
    async check(subject) {
      const { expiringToken: token } = subject
      const ends = await Promise.all(
        subject.transports.map(async (transport) => {
          const request = { token, query: repliesDocument }
          const observations: Observation[] = []
          for await (const one of transport.open(request, subject.signal)) observations.push(one)
          return { transport, observations }
        }),
      )
      const replyId = await subject.send()
      for (const { transport, observations } of ends) {
        const { extensions } =
          observations.flatMap((one) => (one.kind === 'errors' ? one.errors : []))[0] ?? {}
        const code = extensions?.code ?? 'no error'
        demand(code === 'SUBSCRIPTION_TOKEN_EXPIRED', `${transport.name}: ended with ${code}`)
        const last = observations.at(-1)?.kind ?? 'nothing'
        demand(last === 'complete', `${transport.name}: the last thing is ${last}`)
        const after = extensions?.resumeAfter
        demand(after !== undefined, `${transport.name}: resumeAfter is missing`)
        const seen = await subject.observe(transport, { variables: { replyId, after } })
        const isRefused = seen.some(({ kind }) => kind === 'errors')
        demand(!isRefused, `${transport.name}: resumeAfter is refused`)
      }
    },
  },
  {
    id: '4.3',
    level: 'MUST',
    sentence:
      'A gateway that drains ends a stream without completing it: an event stream says `retry:` and is closed, a multipart response is closed without its last delimiter, a WebSocket is closed with 1012.',
    needs: 'drain',
    async check(subject) {
      const opened = subject.transports.map((transport) => {
        const isOpen = Promise.withResolvers<void>()
        const read = async () => {
          const observations: Observation[] = []
          const request = { token: subject.token, query: repliesDocument }
          for await (const one of transport.open(request, subject.signal)) {
            observations.push(one)
            if (one.kind === 'alive') isOpen.resolve()
          }
          return { transport, observations }
        }
        const end = read()
        end.then(() => isOpen.resolve(), isOpen.reject)
        return { isOpen: isOpen.promise, end }
      })
      await Promise.all(opened.map(({ isOpen }) => isOpen))
      await subject.drain?.()
      for (const { transport, observations } of await Promise.all(opened.map(({ end }) => end))) {
        const { name } = transport
        const last = observations.at(-1)
        demand(last?.kind === 'closed', `${name}: the last thing is ${last?.kind ?? 'nothing'}`)
        const hasRetry = observations.some(({ kind }) => kind === 'retry')
        demand(name !== 'SSE' || hasRetry, 'SSE: no `retry:`')
        const isRestart = name !== 'WebSocket' || last.code === serviceRestart
        demand(isRestart, `WebSocket: closed with ${last.code}`)
      }
    },
  },
]
