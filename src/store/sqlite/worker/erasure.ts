import type { DatabaseSync } from 'node:sqlite'
import type { SessionName } from '../../../domain.ts'
import type { ArgsOf, ResultOf } from '../../main-half/calls.ts'
import type { ErasedSession } from '../../ledger.ts'
import type { OwedCall, OwedWork } from '../../outbox.ts'
import type { Row } from './columns.ts'
import type { Deletion } from './deletion.ts'
import type { OutboxWork } from './outbox.ts'
import type { SessionRows } from './sessions.ts'
import { integer, string } from '../../engine/columns.ts'
import { assistantIdOf, toUpstreamAccount } from '../../engine/records.ts'

/** Conversations that a piece ends, and attachments that it deletes. */
const maxRows = 50
/** A piece begins no other row after so many ms. */
const maxMs = 5

export interface ErasureParts {
  readonly db: DatabaseSync
  readonly sessions: SessionRows
  readonly outbox: OutboxWork
  readonly deletion: Deletion
  /** Hears that erased sessions have left rows to be swept. */
  readonly onDeleted: () => void
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** The session is erased, and its rows are taken away in pieces: the call is answered once what is owed is known. */
export class Erasing {
  readonly #id: number
  readonly #session: number
  #erased: ErasedSession

  constructor(id: number, session: number, erased: ErasedSession) {
    this.#id = id
    this.#session = session
    this.#erased = erased
  }

  /** What is known by now. */
  get result(): ResultOf<'eraseSession'> {
    return { type: 'erased', erased: this.#erased }
  }

  /** Called once a piece is on disk; true: it was the last one of this erasure. */
  add(piece: ErasedPiece): boolean {
    const { id, session, messages, owed, isLast } = piece
    if (session !== this.#session || id > this.#id) return false
    const { messages: before, owed: owedBefore } = this.#erased
    const isOwn = id === this.#id
    this.#erased = {
      ...this.#erased,
      messages: isOwn ? before + messages : before,
      // What an erasure before this one owes is owed for the session as well.
      owed: [...owedBefore, ...owed],
    }
    return isOwn && isLast
  }
}

/** What a piece of an erasure has taken away. */
export interface ErasedPiece {
  readonly id: number
  readonly session: number
  readonly messages: number
  readonly owed: readonly OwedWork[]
  /** Nothing of the session is left to be erased. */
  readonly isLast: boolean
}

export interface SessionErasure {
  /** One write, after which nobody meets anything of the session. */
  eraseSession(args: ArgsOf<'eraseSession'>): ResultOf<'eraseSession'> | Erasing
  /** Takes a piece of an erased session away; undefined: there is none. */
  sweep(): ErasedPiece | undefined
}

export function createErasure(parts: ErasureParts): SessionErasure {
  const { db, sessions, outbox, deletion, onDeleted, now } = parts
  const isOpen = db.prepare('SELECT 1 FROM replies WHERE session = ? AND ended_at IS NULL LIMIT 1')
  // The assistant of a conversation that is gone is not known any more.
  const accountsOf = db.prepare(`
    SELECT DISTINCT b.origin, b.account, coalesce(b.strategy, c.strategy, 'workflow') AS strategy, c.assistant
    FROM bindings b LEFT JOIN conversations c ON c.id = b.conversation AND c.session = b.session
    WHERE b.session = ?`)
  const begin = db.prepare(
    'INSERT INTO erasures (session, session_name, erased_at) VALUES (?, ?, ?)',
  )
  const leaveConversations = db.prepare('UPDATE conversations SET session = ? WHERE session = ?')
  const leaveAttachments = db.prepare('UPDATE attachments SET session = ? WHERE session = ?')
  const rename = db.prepare('UPDATE sessions SET name = ?, generation = ? WHERE id = ?')

  const oldest = db.prepare(
    'SELECT id, session, session_name, erased_at FROM erasures ORDER BY id LIMIT 1',
  )
  const conversationsOf = db.prepare(
    `SELECT id, assistant FROM conversations WHERE session = ? LIMIT ${maxRows}`,
  )
  const countMessages = db.prepare(
    'SELECT count(*) AS messages FROM messages WHERE conversation = ?',
  )
  const deleteAttachments = db.prepare(`
    DELETE FROM attachments WHERE id IN (SELECT id FROM attachments WHERE session = ? LIMIT ${maxRows})`)
  const end = db.prepare('DELETE FROM erasures WHERE id = ?')

  function take(row: Row): ErasedPiece {
    const id = integer(row['id'])
    const session = integer(row['session'])
    const owing = { session, name: string(row['session_name']) as SessionName }
    const startedAt = now()
    const found = conversationsOf.all(-id)
    const owed: OwedWork[] = []
    let messages = 0
    let count = 0
    for (const conversation of found) {
      messages += integer(countMessages.get(integer(conversation['id']))?.['messages'])
      owed.push(...deletion.end(owing, conversation, integer(row['erased_at'])))
      count += 1
      if (now() - startedAt > maxMs) break
    }
    const isLast = count < maxRows && count === found.length && removeAttachments(-id) < maxRows
    if (isLast) end.run(id)
    return { id, session, messages, owed, isLast }
  }

  function removeAttachments(erased: number): number {
    return Number(deleteAttachments.run(erased).changes)
  }

  return {
    eraseSession({ sessionId, generation, name, at }) {
      const owner = sessions.get(sessionId)
      const { session } = owner
      if (owner.generation + 1 !== generation) {
        return { type: 'other-generation', generation: owner.generation + 1 }
      }
      if (isOpen.get(session) !== undefined) return { type: 'busy' }
      const earlier = outbox.ofSession(session)
      const accounts = accountsOf.all(session)
      const cleared = accounts.map((row) => {
        const assistantId = row['assistant'] === null ? null : assistantIdOf(row)
        const account = toUpstreamAccount(row)
        const call: OwedCall = { type: 'clear-variables', assistantId, account }
        return outbox.owe(owner, call, at)
      })
      const id = Number(begin.run(session, owner.name, at).lastInsertRowid)
      const conversations = Number(leaveConversations.run(-id, session).changes)
      const attachments = Number(leaveAttachments.run(-id, session).changes)
      rename.run(name, generation, session)
      onDeleted()
      const erasing = new Erasing(id, session, {
        conversations,
        messages: 0,
        attachments,
        hasSpoken: accounts.length > 0,
        owed: [...earlier, ...cleared],
      })
      // Mostly it is the only one, and one piece is all of it.
      const first = oldest.get()
      const isAll = first?.['id'] === id && erasing.add(take(first))
      return isAll ? erasing.result : erasing
    },

    sweep() {
      const erasure = oldest.get()
      return erasure && take(erasure)
    },
  }
}
