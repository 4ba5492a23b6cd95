import type { ObservedEvent } from './observation.ts'
import { isLastEvent, repliesDocument, type Subject, Violation } from './subject.ts'

export interface HopOptions {
  /** How many connections are cut. The one after the last of them stays. */
  readonly cuts: number
  /** A connection is cut after fewer bytes than this. */
  readonly maxBytes: number
}

export interface HoppedReading {
  readonly events: readonly ObservedEvent[]
  readonly cuts: number
}

/**
 * Reads a reply from its first event to its last over connections of random transports, each cut at a random byte. The next
 * one resumes after the last event that came whole.
 */
export async function readByHops(
  subject: Subject,
  replyId: string,
  { cuts, maxBytes }: HopOptions,
): Promise<HoppedReading> {
  const { transports, token, random, signal } = subject
  const events: ObservedEvent[] = []
  let after: string | undefined
  for (let cut = 0; ; cut += 1) {
    const transport = transports[Math.floor(random() * transports.length)]
    if (transport === undefined) throw new RangeError('there is no transport')
    const isLast = cut === cuts
    const observed = transport.open(
      {
        token,
        query: repliesDocument,
        variables: { replyId, ...(after !== undefined && { after }) },
        ...(!isLast && { cutAfter: 1 + Math.floor(random() * maxBytes) }),
      },
      signal,
    )
    for await (const one of observed) {
      if (one.kind === 'errors') {
        const code = one.errors[0]?.extensions?.code ?? 'none'
        throw new Violation(`${transport.name}: refused as ${code} after cut ${cut}`)
      }
      if (one.kind !== 'event') continue
      events.push(one.event)
      after = one.cursor
    }
    if (events.some(isLastEvent) || isLast) return { events, cuts: cut }
  }
}
