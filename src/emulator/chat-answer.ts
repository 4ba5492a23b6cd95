import { alter } from './alterations.ts'
import type { Answer, Call, Context } from './context.ts'
import { play } from './play.ts'
import type { Run } from './run.ts'
import { type Dialect, openEventStream } from './stream.ts'
import { chatView } from './views.ts'

/** Streams a run. It plays on to its end after the client has gone, as upstream does. */
export async function streamRun(
  run: Run,
  dialect: Dialect,
  call: Call,
  context: Context,
): Promise<Answer> {
  const stream = openEventStream(call.res, dialect, call.faults, context)
  const events = alter(play(run, context), call.faults, { ...context, gone: stream.gone })
  for await (const event of events) await stream.send(event)
  await stream.end()
  return undefined
}

/** Answers at once with the chat, which is played behind it (`stream: false`). */
export function detachRun(run: Run, call: Call, context: Context): Answer {
  run.chat.status = 'in_progress'
  context.background(drain(run, call, context))
  return { data: chatView(run.chat) }
}

async function drain(run: Run, call: Call, context: Context): Promise<void> {
  const gone = AbortSignal.abort()
  const events = alter(play(run, context), call.faults, { ...context, gone })
  for await (const _event of events);
}
