import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../lib/clock.ts'
import type { Changes } from './changes.ts'
import type { Dialect } from './dialect.ts'
import type { Fault, Faults } from './faults.ts'
import type { Files } from './files.ts'
import type { Gates } from './gates.ts'
import type { Ids, RandomBytes } from './ids.ts'
import type { Settings } from './options.ts'
import type { PlatformProcess } from './process.ts'
import type { Tokens } from './tokens.ts'
import type { Variables } from './variables.ts'
import type { Principal, World } from './world.ts'

/** What the parts of one emulator share. */
export interface Context {
  readonly settings: Settings
  readonly dialect: Dialect
  readonly process: PlatformProcess
  readonly clock: Clock
  readonly random: RandomBytes
  readonly ids: Ids
  readonly world: World
  readonly tokens: Tokens
  readonly files: Files
  readonly variables: Variables
  /** What the model was told and keeps for ever. */
  readonly memory: Variables
  /** Memory that nodes of flows keep in conversations with a fixed name. */
  readonly nodes: Variables
  readonly faults: Faults
  readonly gates: Gates
  readonly changes: Changes
  /** Aborts when the emulator ends. */
  readonly lifetime: AbortSignal
  /** Lets work go on after its request has been answered; the emulator's end waits for it. */
  readonly background: (work: Promise<void>) => void
}

/** One request. */
export interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly body: unknown
  readonly faults: readonly Fault[]
}

/** A request of an authorised principal. */
export interface OwnedCall extends Call {
  readonly principal: Principal
}

/** The parts of the platform's envelope; undefined if the answer was streamed. */
export type Answer = object | undefined
