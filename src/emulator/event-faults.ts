import type { Clock } from '../lib/clock.ts'
import { isDelta, isDone, isNamed, type NamedEvent, type WireEvent } from './event-stream.ts'
import type { Fault } from './faults.ts'
import type { Ids } from './ids.ts'
import { withEmptyAction, withTextTimes } from './response.ts'
import type { Holds } from './synchronization.ts'

type Events = AsyncIterable<WireEvent>

interface Deps {
  readonly holds: Holds
  readonly clock: Clock
  readonly ids: Ids
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal
  /** Aborts when the platform's process ends. */
  readonly processEnd: AbortSignal
}

/** The chat's events with the ordered faults applied. The events are read to their end: the chat upstream is not disturbed. */
export function applyEventFaults(events: Events, faults: readonly Fault[], deps: Deps): Events {
  return faults.reduce((altered, fault) => applyFault(altered, fault, deps), events)
}

function applyFault(events: Events, fault: Fault, deps: Deps): Events {
  switch (fault.kind) {
    case 'pause':
      return insert(events, fault.afterDeltas, async () => {
        await deps.holds.add(fault.name).wait(deps.processEnd)
        return []
      })
    case 'malformed':
      return insert(events, fault.afterDeltas, ({ name }) => [{ name, data: '{"content": "br' }])
    case 'foreignChat':
      return insert(events, fault.afterDeltas, (event) => [
        edited(event, { chat_id: deps.ids.next(), id: deps.ids.next(), content: 'not yours' }),
      ])
    case 'foreignConversation':
      return insert(events, fault.afterDeltas, (event) => [
        edited(event, { conversation_id: deps.ids.next(), content: 'not yours' }),
      ])
    case 'oversize':
      return insert(events, fault.afterDeltas, (event) => [
        edited(event, { content: 'x'.repeat(fault.bytes) }),
      ])
    case 'endless':
      return insert(events, fault.afterDeltas, (event) => endless(event, fault.what, deps))
    case 'sharedConversation':
      return edit(events, (event) => [
        hasConversation(event) ? edited(event, { conversation_id: fault.conversationId }) : event,
      ])
    case 'missingConversation': {
      const value = fault.value === 'absent' ? undefined : fault.value
      return edit(events, (event) => [
        hasConversation(event) ? edited(event, { conversation_id: value }) : event,
      ])
    }
    case 'errorEvent':
      return endWith(events, fault.afterDeltas, { name: 'error', data: fault.data })
    case 'textTimes':
      return edit(events, (event) => [withData(event, withTextTimes)])
    case 'emptyAction':
      return edit(events, (event) => [withData(event, withEmptyAction)])
    case 'duplicate':
      return edit(events, (event) =>
        fault.only === undefined || fault.only === event.name ? [event, event] : [event],
      )
    case 'completedMismatch':
      return edit(events, (event) => [
        isAnswer(event) ? edited(event, { content: fault.text }) : event,
      ])
    case 'deltaAfterCompleted':
      return edit(events, (event) =>
        isAnswer(event)
          ? [event, { ...edited(event, { content: ' late' }), name: 'conversation.message.delta' }]
          : [event],
      )
    case 'secondCompleted':
      return edit(events, (event) =>
        event.name === 'conversation.chat.completed' ? [event, event] : [event],
      )
    case 'unknownEvent':
      return insert(events, 0, (event) => [{ ...event, name: fault.name }])
    case 'noTerminal':
      return edit(events, (event) =>
        isEnding(event) || (isDone(event) && !fault.done) ? [] : [event],
      )
    case 'noDone':
      return edit(events, (event) => (isDone(event) ? [] : [event]))
    case 'reorder':
      return reorder(events)
    default:
      return events
  }
}

async function* edit(events: Events, change: (event: NamedEvent) => readonly WireEvent[]): Events {
  for await (const event of events) {
    if (isNamed(event)) yield* change(event)
    else yield event
  }
}

/** Inserts events once, before the first message event behind `afterDeltas` deltas. They are made after that event. */
async function* insert(
  events: Events,
  afterDeltas: number,
  make: (model: NamedEvent) => Iterable<WireEvent> | Promise<Iterable<WireEvent>> | Events,
): Events {
  let deltas = 0
  let done = false
  for await (const event of events) {
    if (!done && isMessage(event) && deltas >= afterDeltas) {
      done = true
      yield* await make(event)
    }
    if (isDelta(event)) deltas += 1
    yield event
  }
}

/** The events before the first message event behind `afterDeltas` deltas, then `last`. The others are read but not sent. */
async function* endWith(events: Events, afterDeltas: number, last: NamedEvent): Events {
  let deltas = 0
  let isEnded = false
  for await (const event of events) {
    if (isEnded) continue
    isEnded = isMessage(event) && deltas >= afterDeltas
    if (isDelta(event)) deltas += 1
    yield isEnded ? last : event
  }
}

async function* endless(
  model: NamedEvent,
  what: 'deltas' | 'line',
  { gone, clock, processEnd }: Deps,
): Events {
  if (what === 'line') yield { text: `event: ${model.name}\ndata: {"content":"` }
  const block = 'x'.repeat(4096)
  for (let i = 0; !gone.aborted && !processEnd.aborted; i++) {
    yield what === 'line' ? { text: block } : edited(model, { content: `more-${i} ` })
    if (i % 16 === 0) await clock.sleep(0, processEnd)
  }
}

async function* reorder(events: Events): Events {
  let first: WireEvent | undefined
  let done = false
  for await (const event of events) {
    if (done || !isDelta(event)) {
      if (first !== undefined) yield first
      first = undefined
      yield event
    } else if (first === undefined) {
      first = event
    } else {
      yield event
      yield first
      first = undefined
      done = true
    }
  }
}

function edited(
  event: NamedEvent,
  fields: Readonly<Record<string, string | undefined>>,
): NamedEvent {
  return withData(event, (data) => ({ ...data, ...fields }))
}

function withData(event: NamedEvent, change: (data: object) => object): NamedEvent {
  return typeof event.data === 'string' ? event : { ...event, data: change(event.data) }
}

function isMessage(event: WireEvent): event is NamedEvent {
  return isNamed(event) && event.name.startsWith('conversation.message.')
}

function hasConversation(event: NamedEvent): boolean {
  return event.name.startsWith('conversation.')
}

function isAnswer(event: NamedEvent): boolean {
  return (
    event.name === 'conversation.message.completed' &&
    typeof event.data === 'object' &&
    'type' in event.data &&
    event.data.type === 'answer'
  )
}

function isEnding(event: NamedEvent): boolean {
  return /^conversation\.chat\.(completed|failed|cancell?ed|requires_action)$/.test(event.name)
}
