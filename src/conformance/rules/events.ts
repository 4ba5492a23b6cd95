import type { ObservedEvent } from '../observation.ts'
import type { Rule } from '../rule.ts'
import { demand, eventsOf, isLastEvent, type Subject, builtText } from '../subject.ts'

/** Examines what a reader of each transport has seen of one reply. */
async function inEachReading(
  subject: Subject,
  examine: (events: readonly ObservedEvent[], name: string) => void,
): Promise<void> {
  for (const { transport, observations } of (await subject.sample()).readings)
    examine(eventsOf(observations), transport.name)
}

const deltasOf = (events: readonly ObservedEvent[]) =>
  events.filter(({ __typename }) => __typename === 'ReplyDelta')
const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff

export const eventRules: readonly Rule[] = [
  {
    id: '2.1',
    level: 'MUST',
    sentence:
      'Each event carries its cursor: as `id:` of a server-sent event, otherwise as `extensions.cursor`; the field `cursor` has the same value.',
    async check(subject) {
      for (const { transport, observations } of (await subject.sample()).readings) {
        for (const one of observations) {
          if (one.kind !== 'event') continue
          const seen = `${transport.name}: ${one.event.__typename} has ${one.cursor ?? 'none'}`
          demand(one.cursor === one.event.cursor && one.event.cursor !== '', seen)
        }
      }
    },
  },
  {
    id: '2.2',
    level: 'MUST',
    sentence:
      'Within a server-sent event, `data:` comes before `id:`, so that a reader that is cut between the two does not skip the event.',
    async check(subject) {
      for (const { observations } of (await subject.sample()).readings) {
        for (const one of observations) {
          const isRight = one.kind !== 'event' || one.isCursorLast
          demand(isRight, 'SSE: `id:` comes before `data:`')
        }
      }
    },
  },
  {
    id: '2.3',
    level: 'MUST',
    sentence:
      'A subscription to one reply without a cursor begins with the first event of the reply, which is `ReplyStarted` unless the reply ended before it was started.',
    async check(subject) {
      await inEachReading(subject, ([first], name) => {
        const type = first?.__typename ?? 'no event'
        const isFirst = type === 'ReplyStarted' || (first !== undefined && isLastEvent(first))
        demand(isFirst, `${name}: the first event is ${type}`)
      })
    },
  },
  {
    id: '2.4',
    level: 'MUST',
    sentence:
      'A reply has exactly one terminal event, `ReplyCompleted`, `ReplyFailed` or `ReplyCancelled`, and no event after it.',
    async check(subject) {
      await inEachReading(subject, (events, name) => {
        const ends = events.filter(isLastEvent)
        demand(ends.length === 1, `${name}: ${ends.length} terminal events`)
        demand(events.at(-1) === ends[0], `${name}: an event after the terminal event`)
      })
    },
  },
  {
    id: '2.5',
    level: 'MUST',
    sentence:
      'A delta never begins beyond the text that the reader has: `offset` is at most its length in UTF-16 code units.',
    async check(subject) {
      await inEachReading(subject, (events, name) => {
        for (const delta of deltasOf(events)) {
          const before = events.slice(0, events.indexOf(delta))
          const { length } = builtText(before, delta.kind)
          const { offset = -1 } = delta
          const seen = `${name}: offset ${offset} where the reader has ${length}`
          demand(offset >= 0 && offset <= length, seen)
        }
      })
    },
  },
  {
    id: '2.6',
    level: 'MUST',
    sentence: 'No delta begins or ends within a surrogate pair.',
    async check(subject) {
      await inEachReading(subject, (events, name) => {
        for (const { text = '' } of deltasOf(events)) {
          const isWhole = text.isWellFormed() && !isLowSurrogate(text.charCodeAt(0))
          demand(isWhole, `${name}: a delta holds half a character`)
        }
      })
    },
  },
  {
    id: '2.7',
    level: 'MUST',
    sentence:
      'The deltas of a completed reply, each put at its offset with all after it dropped, make `ReplyCompleted.text`, which is `Reply.text`.',
    async check(subject) {
      const { text } = await subject.sample()
      await inEachReading(subject, (events, name) => {
        const last = events.at(-1)
        if (last?.__typename !== 'ReplyCompleted') return
        demand(builtText(events) === last.text, `${name}: the deltas make another text`)
        demand(text === last.text, `${name}: Reply.text is another text`)
      })
    },
  },
  {
    id: '2.8',
    level: 'MUST',
    sentence: 'The stream of one reply is complete after its terminal event.',
    async check(subject) {
      for (const { transport, observations } of (await subject.sample()).readings) {
        const last = observations.at(-1)?.kind ?? 'nothing'
        demand(last === 'complete', `${transport.name}: the last thing is ${last}`)
      }
    },
  },
  {
    id: '2.9',
    level: 'MUST',
    sentence:
      'The reply of a message runs to its end without a reader: a lost connection does not cancel it.',
    async check(subject) {
      const replyId = await subject.send()
      const [transport] = subject.transports
      if (transport === undefined) return
      await subject.observe(transport, { variables: { replyId }, cutAfter: 1 })
      const observations = await subject.observe(transport, { variables: { replyId } })
      const last = eventsOf(observations).at(-1)?.__typename
      demand(last !== 'ReplyCancelled', 'the reply was cancelled when its reader had left')
    },
  },
]
