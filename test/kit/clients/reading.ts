import { isTerminal, type Recorder, type ReplyEventData } from './recorder.ts'
import type { Person, System } from '../process/system.ts'

export interface Reading {
  readonly reader: string
  readonly who: Person
  readonly replyId: string
  /** Where each connection is cut, in bytes of its body. Infinity: not. */
  readonly cutAfter: () => number
  readonly method?: 'GET' | 'POST'
}

/** Reads a reply to its end over as many connections as the cuts make of it. Answers how many cuts there were. */
export async function readWithCuts(
  { client }: Pick<System, 'client'>,
  recorder: Recorder,
  { reader, who, replyId, cutAfter, method = 'POST' }: Reading,
): Promise<number> {
  let after: string | undefined
  for (let cuts = 0; ; cuts += 1) {
    const followed = await recorder.follow(client, {
      reader,
      as: who.name,
      token: who.token,
      replyId,
      after,
      method,
      cutAfter: cutAfter(),
    })
    using stream = followed.stream
    if (stream.status !== 200) throw new Error(`${stream.status}: ${await stream.refusal}`)
    const last: ReplyEventData | undefined = (await followed.take()).at(-1)
    if (last && isTerminal(last)) return cuts
    if ((await stream.ended) !== 'cut') throw new Error(`${reader}: ended before the reply did`)
    after = followed.cursor
  }
}
