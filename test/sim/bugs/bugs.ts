import type { Platform } from '../../../src/domain.ts'
import type { FaultRow } from '../faults.ts'
import {
  asksForNoOwner,
  cancelsOnDisconnect,
  countsBytes,
  dropsCorrections,
  forgetsWaiting,
  ignoresKeys,
  learnsNoKeying,
  keepsUpstream,
  losesADelta,
  losesWakes,
  mixesLogs,
  mixesTokens,
  resumesAt,
  retriesAnything,
  sendsAgain,
  servesWhatLeaks,
  sleepingGuard,
  storesNoBreach,
  suspectsMoves,
  suspectsSeeds,
  takesLessForTheEnd,
  takesNothingForTheEnd,
} from './plants.ts'
import type { Plant } from './plant.ts'

export interface PlantedBug {
  readonly name: string
  /** A fresh one for each run: bugs remember things. */
  readonly plant: () => Plant
  /** The faults that bring it out. */
  readonly rows: readonly FaultRow[]
  /** A problem that tells of it. */
  readonly tells: RegExp
  /** The one platform that brings it out. Default: either does. */
  readonly onlyOn?: Platform
}

const falseBreach = /^isolation: a breach of .* is told, and nobody has met/

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'the ledger ignores idempotency keys',
    plant: ignoresKeys,
    rows: ['F39'],
    tells: /^6: key/,
  },
  {
    name: 'the store forgets to check fences',
    plant: () => ({ flaw: 'forgets-fences' }),
    rows: ['F23', 'F10', 'F32'],
    tells: /^[1346]: /,
  },
  {
    name: 'a run of unknown outcome is sent again',
    plant: sendsAgain,
    rows: ['F7', 'F9'],
    tells: /^6: the message of/,
  },
  {
    name: 'the client tries again whatever failed',
    plant: retriesAnything,
    rows: ['F7'],
    tells: /^6: the message of/,
  },
  {
    name: 'recovery queues what may have been sent',
    plant: () => ({ flaw: 'sends-again' }),
    rows: ['F21', 'F25'],
    tells: /^6: the message of/,
  },
  {
    name: 'a reader resumes too late in a text',
    plant: () => resumesAt(1),
    rows: [],
    tells: /^1: /,
  },
  {
    name: 'a reader resumes too early in a text',
    plant: () => resumesAt(-1),
    rows: [],
    tells: /^[14]: .* (does not come after|goes back|tells again)/,
  },
  { name: 'a merge loses a delta', plant: losesADelta, rows: ['F36'], tells: /^[124]: / },
  { name: 'offsets count bytes', plant: countsBytes, rows: [], tells: /^1: .* leaves a gap/ },
  {
    name: 'a revision names another text after a crash',
    plant: () => ({ flaw: 'counts-revisions' }),
    rows: ['F13', 'F19', 'F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a reply ends twice',
    plant: () => ({ flaw: 'ends-twice' }),
    rows: [],
    tells: /^3: .* (ended|end)/,
  },
  {
    name: 'two replies of a conversation run at once',
    plant: () => ({ flaw: 'runs-two' }),
    rows: ['F23'],
    tells: /started while/,
  },
  {
    name: 'what an interrupting message overtakes runs after it',
    plant: () => ({ flaw: 'keeps-overtaken' }),
    rows: [],
    tells: /goes on after .* has interrupted it$/,
  },
  {
    name: 'a message is acknowledged before it is durable',
    plant: () => ({ flaw: 'tells-early' }),
    rows: ['F21', 'F32'],
    tells: /^3: .* never ended/,
  },
  {
    name: 'an end is shown before it is durable',
    plant: () => ({ flaw: 'shows-early' }),
    rows: ['F21', 'F32', 'F23'],
    tells: /^[123]: /,
  },
  {
    name: 'access tokens of sessions are mixed up',
    plant: mixesTokens,
    rows: [],
    tells: /^isolation: /,
    // A Studio has one for all.
    onlyOn: 'cloud',
  },
  { name: 'the guard checks nothing', plant: sleepingGuard, rows: ['F16'], tells: /^isolation: / },
  {
    name: 'a conversation that is bound already is bound again',
    plant: () => ({ flaw: 'binds-again' }),
    rows: ['T13'],
    tells: /^isolation: /,
  },
  {
    name: 'an assistant is served on after a breach',
    plant: servesWhatLeaks,
    rows: ['T13'],
    tells: /^isolation: .* goes to .*, where two have met/,
  },
  {
    name: 'a breach is not stored',
    plant: storesNoBreach,
    rows: ['T13'],
    tells: /^isolation: .* is not stored/,
  },
  { name: "a reader is given another session's log", plant: mixesLogs, rows: [], tells: /^5: / },
  {
    name: 'a reply is found by whoever knows its id',
    plant: asksForNoOwner,
    rows: [],
    tells: /^isolation: .* could/,
  },
  { name: 'a wake-up is lost', plant: losesWakes, rows: [], tells: /stays at/ },
  {
    name: 'what waits is forgotten at a restart',
    plant: forgetsWaiting,
    rows: ['F21', 'F25'],
    tells: /not all replies have ended/,
  },
  {
    name: 'a message goes where an earlier run was not seen to end',
    plant: keepsUpstream,
    rows: ['F9', 'F10'],
    tells: /goes where .* still runs/,
  },
  {
    name: 'a correction is dropped',
    plant: dropsCorrections,
    rows: ['F19'],
    tells: /another text than the upstream/,
  },
  {
    name: 'a disconnect cancels the reply',
    plant: cancelsOnDisconnect,
    rows: [],
    tells: /cancelled, and nobody asked for it/,
  },
  {
    name: 'a list that is not there is taken for an empty one',
    plant: takesNothingForTheEnd,
    rows: ['F9'],
    tells: /another text than the upstream/,
  },
  {
    name: 'a shorter text is taken for the end',
    plant: takesLessForTheEnd,
    rows: ['F21', 'F9'],
    tells: /another text than the upstream/,
  },
  {
    name: "older messages that were sent along are taken for a stranger's",
    plant: suspectsSeeds,
    rows: ['F9', 'F18'],
    tells: falseBreach,
    // The cloud stores them under the chat that brought them.
    onlyOn: 'studio',
  },
  {
    name: 'a conversation that is gone is told as a breach',
    plant: suspectsMoves,
    rows: ['F41'],
    tells: falseBreach,
    // The cloud says that it is gone.
    onlyOn: 'studio',
  },
  {
    name: 'how conversations are obtained is not learnt',
    plant: learnsNoKeying,
    rows: [],
    tells: /failed as UPSTREAM_REFUSED, and no fault explains it/,
    // The cloud knows the conversations that it has made.
    onlyOn: 'studio',
  },
]
