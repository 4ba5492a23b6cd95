import type { Client } from '../clients/client.ts'
import type { RunningEmulator } from '../process/emulator.ts'
import type { Talk } from '../clients/talk.ts'
import type { Random } from '../random.ts'
import type { Cast } from './cast.ts'
import type { Lives } from './lives.ts'
import type { Listener, Session, Sessions } from './sessions.ts'

/** Where steps are taken. */
export interface Scene {
  readonly cast: Cast
  readonly lives: Lives
  readonly emulator: RunningEmulator
  readonly client: Client
  readonly talk: Talk
  readonly sessions: Sessions
  /** Who is connected now. */
  readonly listening: Set<Listener>
  /** Ends when all are cut off. */
  readonly hearing: Set<Promise<void>>
  /** Lets somebody in who may have been here before. */
  enter(random: Random): Promise<Session>
  nameReader(): string
  /** Whether the upstream mixes sessions up. */
  readonly isLeaky: boolean
}

/** One thing that may happen. Answers in a word what came of it; a step during which the gateway dies may fail with `DiedError`. */
export interface Step {
  readonly weight: number
  /** For whom it happens. */
  take(scene: Scene, session: Session, random: Random): Promise<string>
}

export const assistantIds = ['flow', 'bot'] as const

/** Only while the session is not being erased, and not erased meanwhile. */
export async function undisturbed(session: Session, take: () => Promise<string>): Promise<string> {
  if (session.isErasing) return 'not now'
  session.busy += 1
  try {
    return await take()
  } finally {
    session.busy -= 1
  }
}
