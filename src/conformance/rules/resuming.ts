import { type HopOptions, readByHops } from '../hopping-reader.ts'
import type { Rule } from '../rule.ts'
import { demand, eventsOf, isLastEvent, refusalOf, repliesDocument, builtText } from '../subject.ts'

/** Enough to cut within a head, an event, and between two, on each transport. */
const hops: HopOptions = { cuts: 12, maxBytes: 2_000 }

export const resumeRules: readonly Rule[] = [
  {
    id: '3.1',
    level: 'MUST',
    sentence:
      'A subscription with `after` delivers what follows that cursor and nothing before it, whichever transport the cursor came from.',
    async check(subject) {
      const { replyId, readings, text } = await subject.sample()
      for (const { transport: from, observations } of readings) {
        const events = eventsOf(observations)
        const middle = Math.floor(events.length / 2) - 1
        const { cursor: after } = events[Math.max(middle, 0)] ?? {}
        if (after === undefined || events.length < 2) continue
        for (const transport of subject.transports) {
          const where = `${from.name} to ${transport.name}`
          const seen = await subject.observe(transport, { variables: { replyId, after } })
          const rest = eventsOf(seen)
          const isRepeated = rest.some(({ __typename }) => __typename === 'ReplyStarted')
          demand(!isRepeated || middle < 0, `${where}: ReplyStarted came again`)
          const ends = rest.filter(isLastEvent).length
          demand(ends === 1, `${where}: ${ends} terminal events`)
          const whole = [...events.slice(0, Math.max(middle, 0) + 1), ...rest]
          const isCompleted = whole.at(-1)?.__typename === 'ReplyCompleted'
          demand(
            !isCompleted || builtText(whole) === text,
            `${where}: the deltas make another text`,
          )
        }
      }
    },
  },
  {
    id: '3.2',
    level: 'MUST',
    sentence:
      'Over server-sent events the header `Last-Event-ID` does what `after` does, and wins over it.',
    async check(subject) {
      const { replyId, readings } = await subject.sample()
      for (const { transport, observations } of readings) {
        if (transport.name !== 'SSE') continue
        const events = eventsOf(observations)
        const [first, second] = events
        if (first === undefined || second === undefined) continue
        const variables = { replyId, after: first.cursor }
        const lastEventId = events.at(-2)?.cursor
        const seen = eventsOf(await subject.observe(transport, { variables, lastEventId }))
        const types = seen.map(({ __typename }) => __typename).join(', ')
        const isOnlyEnd = seen.every(isLastEvent) && seen.length === 1
        demand(isOnlyEnd, `SSE: after all but the last event came ${types || 'nothing'}`)
      }
    },
  },
  {
    id: '3.3',
    level: 'MUST',
    sentence:
      'A reader that is cut at any byte and resumes after the last whole event, over the same transport or another, builds the same text and meets one terminal event.',
    async check(subject) {
      const replyId = await subject.send()
      const { events } = await readByHops(subject, replyId, hops)
      const ends = events.filter(isLastEvent)
      demand(ends.length === 1, `${ends.length} terminal events`)
      const last = events.at(-1)
      if (last?.__typename !== 'ReplyCompleted') return
      demand(builtText(events) === last.text, 'the deltas make another text')
    },
  },
  {
    id: '3.4',
    level: 'MUST',
    sentence:
      'After the cursor of the terminal event the stream of that reply is complete at once; a GET with `Last-Event-ID` is answered 204, which stops an `EventSource`.',
    async check(subject) {
      const { replyId, readings } = await subject.sample()
      for (const { transport, observations } of readings) {
        const { cursor } = eventsOf(observations).at(-1) ?? {}
        demand(cursor !== undefined, `${transport.name}: no event`)
        const variables = { replyId, after: cursor }
        const seen = await subject.observe(transport, { variables })
        const kinds = seen.map(({ kind }) => kind)
        const isOver = kinds.at(-1) === 'complete' && !kinds.includes('event')
        demand(isOver, `${transport.name}: ${kinds.join(', ')}`)
        if (transport.name !== 'SSE') continue
        const request = { method: 'GET', variables: { replyId }, lastEventId: cursor } as const
        const [head] = await subject.observe(transport, request)
        const status = head?.kind === 'head' ? head.status : 'none'
        demand(status === 204, `SSE: the status of a GET is ${status}`)
      }
    },
  },
  {
    id: '3.5',
    level: 'MUST',
    sentence:
      'After `viewer.eventCursor` a subscription to the session delivers every event that came after the query that returned it.',
    async check(subject) {
      const { data } = await subject.ask<{ viewer: { eventCursor: string } }>(
        'query Conformance { viewer { eventCursor } }',
      )
      const after = data?.viewer.eventCursor
      demand(after !== undefined, 'viewer.eventCursor is missing')
      const replyId = await subject.send()
      for (const transport of subject.transports) {
        const request = { token: subject.token, query: repliesDocument, variables: { after } }
        const types: string[] = []
        for await (const one of transport.open(request, subject.signal)) {
          if (one.kind !== 'event' || one.event.replyId !== replyId) continue
          types.push(one.event.__typename)
          if (isLastEvent(one.event)) break
        }
        const [first = 'no event'] = types
        const isWhole = first === 'ReplyStarted' || types.length === 1
        demand(isWhole, `${transport.name}: the first event was ${first}`)
      }
    },
  },
  {
    id: '3.6',
    level: 'MUST',
    sentence: 'A text that is no cursor is refused as `BAD_USER_INPUT`, before any event.',
    async check(subject) {
      const { replyId } = await subject.sample()
      for (const transport of subject.transports) {
        const variables = { replyId, after: 'no.such.cursor' }
        const code = await refusalOf(subject, transport, { variables })
        demand(code === 'BAD_USER_INPUT', `${transport.name}: the code is ${code}`)
      }
    },
  },
  {
    id: '3.7',
    level: 'MUST',
    sentence:
      'A cursor belongs to its session: with the credential of another caller it is refused as `BAD_USER_INPUT`, and the reply is `NOT_FOUND`.',
    needs: 'otherToken',
    async check(subject) {
      const { otherToken: token } = subject
      const { replyId, readings } = await subject.sample()
      const [after] = readings.flatMap(({ observations }) => eventsOf(observations))
      for (const transport of subject.transports) {
        const expected = [
          [{ after: after?.cursor ?? '' }, 'BAD_USER_INPUT'],
          [{ replyId }, 'NOT_FOUND'],
        ] as const
        for (const [variables, wanted] of expected) {
          const code = await refusalOf(subject, transport, { token, variables })
          demand(code === wanted, `${transport.name}: the code is ${code}, not ${wanted}`)
        }
      }
    },
  },
]
