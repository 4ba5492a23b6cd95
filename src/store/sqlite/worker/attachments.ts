import type { DatabaseSync } from 'node:sqlite'
import type { WorkerCalls } from '../calls.ts'
import type { Sessions } from './sessions.ts'

export interface AttachmentsParts {
  readonly db: DatabaseSync
  readonly sessions: Sessions
}

export function createAttachments({
  db,
  sessions,
}: AttachmentsParts): Pick<WorkerCalls, 'addAttachment'> {
  const insert = db.prepare(`
    INSERT INTO attachments
      (key, session, assistant, origin, account, upstream, name, media_type, bytes, created_at)
    VALUES (:key, :session, :assistant, :origin, :account, :upstream, :name, :mediaType, :bytes, :at)`)
  return {
    addAttachment({ sessionId, attachment: { scope, upstreamId, ...attachment } }) {
      const { session } = sessions.get(sessionId)
      const { id, assistantId, name, mediaType, bytes, createdAt } = attachment
      const file = { key: id, assistant: assistantId, name, mediaType, bytes, at: createdAt }
      insert.run({ session, ...scope, upstream: upstreamId, ...file })
      return attachment
    },
  }
}
