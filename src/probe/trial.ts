import type { Session } from '../domain.ts'
import type { NewId } from '../lib/id.ts'
import { createMarker, type Marker, type Phrasing, tells } from './marker.ts'
import type { ProbeConversation, ProbeSession, Said, StrangerAccess } from './session.ts'

/** Whether an answer contained a secret, and the platform's log id of the call. */
export interface Recall {
  readonly told: boolean
  readonly logId: string | undefined
}

/**
 * The observations of one trial. Two sessions, A and B, are each told a secret at the same time, and are asked for their
 * own and for the other's. A1, A2, B1 and B2 are their conversations; n is a secret that nobody was told.
 *
 *     A1: tell a   ask a (own)   ask b (cross)                A2: ask a (fresh)   A3: ask a (afterwards)
 *     B1: tell b   ask b (own)   ask a (cross)   ask n                            B2: ask a (afterwards)
 *
 * "Afterwards" follows when the variables of both were emptied. Last, B tries to enter A1 by its name and by its id.
 */
export interface Trial {
  /** Whether A1 and B1 are one upstream conversation. */
  readonly isShared: boolean
  /** The positive control. A session that does not recall its own secret proves nothing by not telling the other's. */
  readonly own: readonly Recall[]
  readonly cross: readonly Recall[]
  /** Whether the assistant asked a question and waited, before it answered. */
  readonly isAsking: boolean
  /** The negative control. True: the assistant said the secret that nobody was told, so its answers prove nothing. */
  readonly invented: boolean
  readonly fresh: Recall
  /** Whose variables hold A's secret. Undefined: the variables cannot be read. */
  readonly variables: { readonly ofA: boolean; readonly ofB: boolean } | undefined
  /** Undefined: not asked. */
  readonly afterwards: { readonly byA: Recall; readonly byB: Recall } | undefined
  /** Undefined: not tried, since A1 and B1 are one conversation. */
  readonly strangerAccess: StrangerAccess | undefined
}

export interface TrialOptions {
  readonly newSession: () => ProbeSession
  readonly newId: NewId
  readonly phrasing: Phrasing
  /** Returns the names and values of a session's variables, or undefined where they cannot be read. */
  readonly readVariables: (session: Session) => Promise<readonly string[] | undefined>
  /** Checks the messages that the platform lists for a conversation. */
  readonly checkListing: (of: ProbeSession, conversationId: string) => Promise<void>
  /** Returns false if the variables could not be emptied. */
  readonly clearVariables: (session: Session) => Promise<boolean>
}

export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { newSession, newId, phrasing, readVariables } = options
  const [a, b] = [newSession(), newSession()]
  const [ofA, ofB, ofNobody] = [createMarker(newId), createMarker(newId), createMarker(newId)]
  // Both at once, and in changing order: a leak may depend on who comes first.
  const [a1, b1] = await Promise.all([a.converse(), b.converse()])
  const told = await Promise.all([a1.say(phrasing.tell(ofA)), b1.say(phrasing.tell(ofB))])
  const isShared = a1.upstreamId !== undefined && a1.upstreamId === b1.upstreamId
  const own = await Promise.all([ask(b1, ofB), ask(a1, ofA)])
  const cross = [await ask(b1, ofA), await ask(a1, ofB)]
  const nobody = await ask(b1, ofNobody)
  const fresh = await ask(await a.converse(), ofA)
  const [inA, inB] = await Promise.all([readVariables(a.session), readVariables(b.session)])
  const variables = inA &&
    inB && {
      ofA: inA.some((text) => tells(text, ofA.value)),
      ofB: inB.some((text) => tells(text, ofA.value)),
    }
  if (a1.upstreamId !== undefined && !isShared) await options.checkListing(a, a1.upstreamId)
  return {
    isShared,
    own,
    cross,
    isAsking: told.some(({ question }) => question !== undefined),
    invented: nobody.told,
    fresh,
    variables,
    afterwards: variables?.ofA ? await askAfterwards() : undefined,
    // It comes last, because its message may enter A's conversation.
    strangerAccess: isShared ? undefined : await b.accessAsStranger(a1),
  }

  /** Variables can hide other memory, so they are emptied first. */
  async function askAfterwards() {
    const cleared = await Promise.all([a, b].map(({ session }) => options.clearVariables(session)))
    if (cleared.includes(false)) return undefined
    const [a3, b2] = await Promise.all([a.converse(), b.converse()])
    return { byA: await ask(a3, ofA), byB: await ask(b2, ofA) }
  }

  async function ask(conversation: ProbeConversation, marker: Marker): Promise<Recall> {
    const { text, logId }: Said = await conversation.say(phrasing.ask(marker))
    return { told: tells(text, marker.value), logId }
  }
}
