import type { DatabaseSync } from 'node:sqlite'
import type { WorkerCalls } from '../calls.ts'
import { findOwn } from './own-rows.ts'
import { selectMessage, toMessage } from './rows.ts'
import type { Sessions } from './sessions.ts'
import type { Texts } from './texts.ts'

export interface RatingsParts {
  readonly db: DatabaseSync
  readonly sessions: Sessions
  readonly texts: Texts
}

export function createRatings({
  db,
  sessions,
  texts,
}: RatingsParts): Pick<WorkerCalls, 'rateAnswer'> {
  const find = findOwn(db, 'm', selectMessage, 'message', "AND m.role = 'ASSISTANT'")
  const rate = db.prepare(
    'UPDATE messages SET rating = ? WHERE id = (SELECT id FROM messages WHERE key = ?)',
  )
  return {
    rateAnswer({ sessionId, id, rating }) {
      const found = find(id, sessions.get(sessionId).session)
      if (found === undefined) return undefined
      rate.run(rating, id)
      return { ...toMessage(found, texts), rating }
    },
  }
}
