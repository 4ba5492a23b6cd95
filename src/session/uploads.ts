import type { AssistantInfo, Attachment, AttachmentId, FileUpload, Session } from '../domain.ts'
import {
  AssistantUnavailableError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
} from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { SharedRateLimiter } from '../rate/shared-limiter.ts'
import type { AssistantAccess } from '../reply/assistant-access.ts'
import { reachOf } from '../reply/circuit.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import type { Ledger } from '../store/ledger.ts'
import { stored } from '../store/store.ts'
import { RunFailedError } from '../strategy/run-failure.ts'

export interface UploadsOptions extends AssistantAccess, Pick<ReplyEngine, 'admission' | 'closed'> {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly newId: NewId
  readonly rate: SharedRateLimiter
  /** `image/png`, or all of a kind: `image/*`. */
  readonly mediaTypes: readonly string[]
}

const maxNameLength = 255
/** For what heals by itself nobody knows when, in ms: no time at all would say that an operator must act. */
const retryMs = 1_000

/** Streams files of sessions through to their assistants' platform, and remembers whose they are. */
export function createUploads(
  options: UploadsOptions,
): (session: Session, assistant: AssistantInfo, file: FileUpload) => Promise<Attachment> {
  const { ledger, admission, clock, newId } = options
  const isTaken = createMediaTypeTest(options.mediaTypes)

  return async (session, assistant, file) => {
    const { name, mediaType } = file
    if (!assistant.acceptsAttachments) {
      throw new NotSupportedError('The assistant takes no attachments.')
    }
    if (name.length < 1 || name.length > maxNameLength) {
      throw new InvalidInputError(`A file's name must have 1 to ${maxNameLength} characters.`, {
        field: ['file'],
      })
    }
    if (!isTaken(mediaType))
      throw new InvalidInputError('Files of this media type are not taken.', { field: ['file'] })
    await options.rate.take(session.id)
    const circuit = admission.circuit(assistant.id)
    const retryAfterMs = circuit?.retryAfterMs
    if (retryAfterMs !== undefined) {
      throw new AssistantUnavailableError('The assistant cannot be reached.', retryAfterMs)
    }
    const choice = options.strategyOf(assistant.id, undefined)
    const records = options.recordsOf(assistant.id)
    if (choice === undefined || records === undefined) {
      throw new NotFoundError('There is no such assistant.', { field: ['assistantId'] })
    }
    if (!records.takesFiles) throw new NotSupportedError('The assistant takes no attachments now.')
    try {
      const { upstreamId, bytes } = await records.uploadFile(session, file, options.closed)
      circuit?.reached()
      const id = newId() as AttachmentId
      const { scope } = choice.strategy
      const about = { id, assistantId: assistant.id, name, mediaType, bytes }
      const attachment = { ...about, scope, upstreamId, createdAt: clock.now() }
      return await stored(() => ledger.addAttachment(session, attachment))
    } catch (error) {
      if (!(error instanceof RunFailedError)) throw error
      const { code, retryable, retryAfterMs: after } = error.failure
      const reach = reachOf(code)
      if (reach !== undefined) circuit?.[reach]()
      if (!error.isSupported) {
        throw new NotSupportedError("The assistant's platform takes no files.", { cause: error })
      }
      throw code === 'UPSTREAM_REFUSED'
        ? new InvalidInputError('The assistant does not take the file.', { cause: error })
        : new AssistantUnavailableError(
            error.failure.message,
            after ?? (retryable ? retryMs : null),
          )
    }
  }
}

function createMediaTypeTest(allowed: readonly string[]): (mediaType: string) => boolean {
  const exact = new Set(allowed)
  return (mediaType) => {
    const type = (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase()
    return exact.has(type) || exact.has(`${type.split('/', 1)[0]}/*`)
  }
}
