import type { Session } from '../domain.ts'
import type { NewId } from '../lib/id.ts'
import { type Canary, createCanary, type Phrasing, tells } from './canary.ts'
import type { ProbeConversation, ProbeSession, Said, StrangerAccess } from './session.ts'

/** Whether an answer told a canary, and the platform's id of the call. */
export interface Recall {
  readonly told: boolean
  readonly logId: string | undefined
}

/**
 * What one trial saw: two sessions that each tell a secret, at once, and are asked for the other's.
 *
 *     A1: tell a      ask a (own)   ask b (cross)              A2: ask a (fresh)
 *     B1: tell b      ask b (own)   ask a (cross)   ask n      B2: ask a (afresh), after B's variables were emptied
 *                                                              B in A1, by its name and by its id
 */
export interface Trial {
  /** Both were given one upstream conversation. */
  readonly isShared: boolean
  /** Each recalls its own: else nothing that is not recalled means anything. */
  readonly own: readonly Recall[]
  /** The other's. */
  readonly cross: readonly Recall[]
  /** It asked something and waited, before it answered. */
  readonly isAsking: boolean
  /** What nobody was told is told: the test itself is broken. */
  readonly invented: boolean
  /** A recalls its own in a conversation of its own that never heard of it. */
  readonly fresh: Recall
  /** Whose variables hold A's secret; undefined: they cannot be read. */
  readonly variables: { readonly ofA: boolean; readonly ofB: boolean } | undefined
  /** A, and B, in one more conversation, after the variables of both were emptied; undefined: not tried. */
  readonly afterwards: { readonly byA: Recall; readonly byB: Recall } | undefined
  /** How B got into A's conversation; undefined: it is in it anyway. */
  readonly strangerAccess: StrangerAccess | undefined
}

export interface TrialOptions {
  readonly newProber: () => ProbeSession
  readonly newId: NewId
  readonly phrasing: Phrasing
  /** The names and values of a session's variables. */
  readonly readVariables: (session: Session) => Promise<readonly string[] | undefined>
  /** Looks through the messages that the platform lists of a conversation. */
  readonly look: (of: ProbeSession, conversationId: string) => Promise<void>
  /** False: they are there still. */
  readonly clearVariables: (session: Session) => Promise<boolean>
}

export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { newProber, newId, phrasing, readVariables } = options
  const [a, b] = [newProber(), newProber()]
  const [ofA, ofB, ofNobody] = [createCanary(newId), createCanary(newId), createCanary(newId)]
  // At once, and in turns that change: what mixes sessions up may depend on who comes when.
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
  if (a1.upstreamId !== undefined && !isShared) await options.look(a, a1.upstreamId)
  return {
    isShared,
    own,
    cross,
    isAsking: told.some(({ question }) => question !== undefined),
    invented: nobody.told,
    fresh,
    variables,
    afterwards: variables?.ofA ? await askAfterwards() : undefined,
    // Last, since it is heard in A's conversation.
    strangerAccess: isShared ? undefined : await b.accessAsStranger(a1),
  }

  /** Variables hide what memory knows: without them it shows. */
  async function askAfterwards() {
    const cleared = await Promise.all([a, b].map(({ session }) => options.clearVariables(session)))
    if (cleared.includes(false)) return undefined
    const [a3, b2] = await Promise.all([a.converse(), b.converse()])
    return { byA: await ask(a3, ofA), byB: await ask(b2, ofA) }
  }

  async function ask(conversation: ProbeConversation, canary: Canary): Promise<Recall> {
    const { text, logId }: Said = await conversation.say(phrasing.ask(canary))
    return { told: tells(text, canary.value), logId }
  }
}
