import {
  SessionExportDocument,
  type SessionExportQuery,
} from '../../../schema/operations/generated/graphql.ts'
import { check } from '../history/checker.ts'
import type { RunningEmulator } from '../process/emulator.ts'
import { canariesIn, type Session } from './sessions.ts'
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
  for (const problem of check(talk.recorder.history)) sessions.complain(problem)

  const answers = new Map<string, string>()
  const ends: Record<string, number> = {}
  for (const step of talk.recorder.history) {
    if (step.type !== 'truth') continue
    const last = step.events.at(-1)?.body
    const end = last?.type === 'failed' ? last.code : (last?.type ?? 'nothing')
    ends[end] = (ends[end] ?? 0) + 1
    if (last?.type === 'completed') answers.set(step.replyId, last.text)
  }
  for (const session of sessions.all) await findOwn(scene, session, answers)
  if (!scene.isLeaky) for (const what of await findMixtures(emulator)) sessions.complain(what)
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

/**
 * The positive control: whoever was answered finds a word of their own in their stream, and in all that is kept of them.
 * @param answers what the streams said, by reply.
 */
async function findOwn(
  scene: Scene,
  session: Session,
  answers: ReadonlyMap<string, string>,
): Promise<void> {
  const { number, sent } = session
  const kept = await readExport(scene, session)
  for (const { replyId, echo } of sent) {
    const answer = answers.get(replyId)
    if (echo === undefined || answer === undefined) continue
    if (!answer.includes(echo)) {
      scene.sessions.complain(`the answer to session ${number} lacks ${echo}: ${answer}`)
    }
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

/** No upstream conversation was told words of two sessions, nor of one before and after it was erased. */
async function findMixtures(emulator: RunningEmulator): Promise<readonly string[]> {
  const { conversations } = await emulator.state()
  return conversations.flatMap(({ id, messages }) => {
    const owners = new Set(
      messages.flatMap(({ content }) =>
        canariesIn(content).map(({ number, generation }) => `${number}g${generation}`),
      ),
    )
    return owners.size > 1 ? [`upstream ${id} was told words of ${[...owners].join(' and ')}`] : []
  })
}
