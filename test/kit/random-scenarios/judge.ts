import {
  SessionExportDocument,
  type SessionExportQuery,
} from '../../../schema/operations/generated/graphql.ts'
import { check } from '../history/checker.ts'
import type { Step } from '../history/history.ts'
import type { RunningEmulator } from '../process/emulator.ts'
import { canariesIn, canaryForm, type Session } from './sessions.ts'
import type { Scene } from './step.ts'

/** Reads everything afresh when all is over, and complains about what is wrong. Answers how replies ended. */
export async function judge(
  scene: Scene,
  emulator: RunningEmulator,
): Promise<Readonly<Record<string, number>>> {
  const { talk, sessions, listening, hearing } = scene
  for (const { followed } of listening) followed?.stream.cut()
  await Promise.all(hearing)
  for (const session of sessions.all) await letGo(scene, session)
  const deleted: string[] = []
  for (const session of sessions.all) deleted.push(...(await findDeleted(scene, session)))
  await talk.settle({ deleted })
  for (const { who, sent } of sessions.all) {
    for (const { canary, echo, replyId } of sent) {
      const isRepeated = echo !== undefined
      talk.recorder.add({
        type: 'word',
        as: who.name,
        word: canary,
        ...(isRepeated && { replyId }),
      })
    }
  }
  if (!scene.isLeaky) for (const step of await tellServed(emulator)) talk.recorder.add(step)
  const problems = check(talk.recorder.history, { wordForm: canaryForm })
  for (const problem of problems) sessions.complain(problem)

  const answered = new Set<string>()
  const ends: Record<string, number> = {}
  for (const step of talk.recorder.history) {
    if (step.type !== 'truth') continue
    const last = step.events.at(-1)?.body
    const end = last?.type === 'failed' ? last.code : (last?.type ?? 'nothing')
    ends[end] = (ends[end] ?? 0) + 1
    if (last?.type === 'completed') answered.add(step.replyId)
  }
  for (const session of sessions.all) await findOwn(scene, session, answered)
  return ends
}

/** What waits for its client ends now. */
async function letGo({ talk }: Scene, { who, sent }: Session): Promise<void> {
  for (const { asksForTools, replyId } of sent) {
    if (asksForTools) await talk.cancel(who, replyId)
  }
}

async function findDeleted({ talk }: Scene, session: Session): Promise<readonly string[]> {
  const { sent, gone, erased, who } = session
  const found: string[] = [...erased]
  for (const { replyId, conversationId } of sent) {
    if (gone.has(conversationId) && !(await talk.snapshot(who, replyId))) found.push(replyId)
  }
  return found
}

/** The positive control: whoever was answered finds a word of their own in all that is kept of them. */
async function findOwn(
  scene: Scene,
  session: Session,
  answered: ReadonlySet<string>,
): Promise<void> {
  const { number, sent } = session
  const kept = await readExport(scene, session)
  for (const { replyId, echo } of sent) {
    if (echo === undefined || !answered.has(replyId)) continue
    // In the message, and in the answer to it.
    if ((kept.get(echo) ?? 0) < 2) {
      scene.sessions.complain(`the export of session ${number} lacks ${echo}`)
    }
  }
}

/** How often it holds each canary. */
async function readExport(
  { talk, sessions }: Scene,
  { who, number }: Session,
): Promise<ReadonlyMap<string, number>> {
  const kept = new Map<string, number>()
  let place: string | undefined
  do {
    const answered: SessionExportQuery | undefined = await talk.ask(who, SessionExportDocument, {
      ...(place !== undefined && { after: place }),
    })
    if (!answered) sessions.complain(`the export of session ${number} is refused`)
    for (const { canary } of canariesIn(JSON.stringify(answered ?? {}))) {
      kept.set(canary, (kept.get(canary) ?? 0) + 1)
    }
    place = answered?.sessionExport.nextCursor ?? undefined
  } while (place !== undefined)
  return kept
}

/** Whose words each upstream conversation was told: a session is another one once it was erased. */
async function tellServed(emulator: RunningEmulator): Promise<readonly Step[]> {
  const { conversations } = await emulator.state()
  return conversations.map(({ id, messages }) => {
    const canaries = messages.flatMap(({ content }) => canariesIn(content))
    const owners = canaries.map(({ number, generation }) => `${number}g${generation}`)
    return { type: 'served', upstream: id, sessions: [...new Set(owners)] }
  })
}
