import { alter } from './alterations.ts'
import type { Call, Context } from './context.ts'
import { play } from './play.ts'
import type { PlatformRun } from './run.ts'
import { openPlatformStream } from './stream.ts'

/** Streams a run. Its platform decides whether it plays on to its end after the client has gone. */
export async function streamPlatformRun(
  run: PlatformRun,
  call: Call,
  context: Context,
): Promise<undefined> {
  const { dialect } = context
  const { kind } = run.chat
  const stream = openPlatformStream(call.res, dialect.framing[kind], call.faults, context)
  const deps = { ...context, gone: stream.gone, life: run.life }
  for await (const event of alter(play(run, context), call.faults, deps)) {
    await stream.send(event)
    if (run.life.aborted || (stream.gone.aborted && !dialect.playsOnUnread[kind])) break
  }
  await stream.end()
}

/** Plays a run that nobody listens to, behind the answer to its request. */
export function detachRun(run: PlatformRun, call: Call, context: Context): void {
  run.chat.status = 'in_progress'
  context.background(drain(run, call, context))
}

async function drain(run: PlatformRun, call: Call, context: Context): Promise<void> {
  const deps = { ...context, gone: AbortSignal.abort(), life: run.life }
  for await (const _event of alter(play(run, context), call.faults, deps)) {
    if (run.life.aborted) break
  }
}
