import type { Loot } from '../clients/attacks.ts'
import type { Followed } from '../clients/recorder.ts'
import type { Person } from '../process/system.ts'
import type { Look } from './direct-client.ts'

/** A message that was accepted. */
export interface Sent {
  readonly replyId: string
  readonly conversationId: string
  /** Must be in a whole answer; undefined: what the answer holds depends on what was said before. */
  readonly echo: string | undefined
  readonly canary: string
  readonly asksForTools: boolean
}

/** A reader of its log, and how far it came. */
export interface Listener {
  readonly reader: string
  readonly session: Session
  readonly replyId?: string
  readonly conversationId?: string
  followed?: Followed
  last: string | undefined
}

/** What a session has and is to be told, as its people know. */
export interface Session {
  readonly who: Person
  readonly number: number
  /** How often it was erased. */
  generation: number
  readonly conversations: { readonly id: string; readonly assistantId: string }[]
  readonly sent: Sent[]
  /** Conversations that were deleted, or may have been. */
  readonly gone: Set<string>
  /** Those of before the last erasure. */
  readonly erased: Set<string>
  loot: { -readonly [Key in keyof Loot]?: Loot[Key] }
  /** Cut off, and may go on. */
  readonly dropped: Listener[]
  /** Steps of it under way that would be caught half-way by an erasure. */
  busy: number
  isErasing: boolean
  /** Own canaries that it was shown. */
  shown: number
}

/** All sessions, whose is what, and what somebody was told that is not theirs. */
export interface Sessions {
  readonly all: readonly Session[]
  readonly complaints: readonly string[]
  complain(what: string): void
  of(who: Person): Session
  /** A word that nobody else has. */
  mint(session: Session): string
  /** An id that only this session may be told. */
  own(session: Session, id: string): void
  lookerOf(token: string): Look
}

const maxComplaints = 20

export function createSessions(): Sessions {
  const all: Session[] = []
  const byToken = new Map<string, Session>()
  const owners = new Map<string, Session>()
  const complaints: string[] = []
  let minted = 0

  function complain(what: string): void {
    if (complaints.length < maxComplaints) complaints.push(what)
  }

  return {
    all,
    complaints,
    complain,
    of(who) {
      const known = byToken.get(who.token)
      if (known) return known
      const session: Session = {
        who,
        number: all.length,
        generation: 0,
        conversations: [],
        sent: [],
        gone: new Set(),
        erased: new Set(),
        loot: {},
        dropped: [],
        busy: 0,
        isErasing: false,
        shown: 0,
      }
      all.push(session)
      byToken.set(who.token, session)
      return session
    },
    mint({ number, generation }) {
      minted += 1
      return `canary${number}g${generation}n${minted}x`
    },
    own: (session, id) => void owners.set(id, session),
    lookerOf(token) {
      const session = byToken.get(token)
      const since = session?.generation ?? 0
      const name = session
        ? `session ${session.number} (${session.who.name})`
        : 'somebody without a session'
      return (text) => {
        for (const { canary, number, generation } of canariesIn(text)) {
          if (number !== session?.number)
            complain(`${name} was shown ${canary} of ${all[number]?.who.name}`)
          else if (generation < since) complain(`${name} was shown ${canary}, which it had erased`)
          else session.shown += 1
        }
        for (const [id] of text.matchAll(/[\w-]{22,}/g)) {
          const owner = owners.get(id)
          if (owner && owner !== session) {
            complain(`${name} was told ${id} of session ${owner.number}`)
          }
        }
      }
    },
  }
}

interface Canary {
  readonly canary: string
  /** Of its session. */
  readonly number: number
  readonly generation: number
}

export const canaryForm = /canary(\d+)g(\d+)n\d+x/g

export function canariesIn(text: string): readonly Canary[] {
  return Array.from(text.matchAll(canaryForm), ([canary, number, generation]) => ({
    canary,
    number: Number(number),
    generation: Number(generation),
  }))
}
