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
import {
  cancelsLater,
  interruptsBeforeTheKey,
  keepsTheName,
  keepsWhatWasCancelled,
  sendsBeforeTheIntent,
  settlesFirst,
  showsBeforeTheBinding,
  tellsTextFirst,
} from './order-plants.ts'
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
    rows: ['F23', 'F10'],
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
  {
    name: 'a message leaves before its send intent is durable',
    plant: sendsBeforeTheIntent,
    rows: ['F21', 'F32'],
    tells: /^6: the message of/,
  },
  {
    name: 'the text of a Workflow is shown before its conversation is bound',
    plant: () => showsBeforeTheBinding('workflow'),
    rows: ['T13'],
    tells: /^isolation: /,
    // The cloud shares only what a call has made.
    onlyOn: 'studio',
  },
  {
    name: 'the text of a Bot that goes on elsewhere is shown before its conversation is bound',
    plant: () => showsBeforeTheBinding('bot'),
    rows: ['T13', 'F41'],
    tells: /^isolation: /,
    onlyOn: 'studio',
  },
  {
    name: 'only the newest revision remembers what it kept',
    plant: () => ({ flaw: 'forgets-kept' }),
    rows: ['F13', 'F19', 'F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a run that is taken over goes on in the old revision',
    plant: () => ({ flaw: 'keeps-revision' }),
    rows: ['F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a group of text is put behind whatever is there',
    plant: () => ({ flaw: 'appends-blindly' }),
    rows: ['F21', 'F32', 'F33', 'F12'],
    tells: /^[124]: /,
  },
  {
    name: 'fences are counted anew at each start',
    plant: () => ({ flaw: 'counts-fences' }),
    rows: ['F23', 'F10', 'F32'],
    tells: /^[1346]: /,
  },
  {
    name: 'who has lost a run reads its text from memory',
    plant: () => ({ flaw: 'reads-stale-memory' }),
    rows: ['F23'],
    tells: /^[124]: /,
  },
  {
    name: 'an INTERRUPT stops what runs before its key is looked up',
    plant: interruptsBeforeTheKey,
    rows: ['F39'],
    tells: /is cancelled, and nobody asked for it/,
  },
  {
    name: 'a message overtakes those that wait',
    plant: () => ({ flaw: 'overtakes-the-queue' }),
    rows: ['F32'],
    tells: /overtakes/,
  },
  {
    name: 'text comes before its reply has started',
    plant: tellsTextFirst,
    rows: [],
    tells: /^1: .* has a delta before its start/,
  },
  {
    name: 'a conversation that goes on in a new one upstream keeps its name there',
    plant: keepsTheName,
    rows: ['F9', 'F10'],
    tells: /goes where .* still runs|whose deletion is owed/,
    // A Studio makes its conversations by the names of runs, and each has its own.
    onlyOn: 'cloud',
  },
  {
    name: 'a message goes where a run was cancelled that nobody told the platform of',
    plant: keepsWhatWasCancelled,
    rows: [],
    tells: /goes where .* still runs/,
  },
  {
    name: 'the platform is told of a cancel too late',
    plant: cancelsLater,
    rows: [],
    tells: /goes where .* still runs/,
  },
  {
    name: 'a conversation that is cleared goes on in the same one upstream',
    plant: () => ({ flaw: 'clears-in-place' }),
    rows: [],
    tells: /whose deletion is owed/,
  },
  {
    name: 'a reader that lags behind a trimmed log is read on to',
    plant: () => ({ flaw: 'reads-on-when-expired' }),
    rows: ['F35', 'F36'],
    tells: /^[124]: /,
  },
  {
    name: 'trimming forgets which event it removed last',
    plant: () => ({ flaw: 'forgets-trimmed-check' }),
    rows: [],
    tells: /has missed nothing/,
  },
  {
    name: 'what a deletion owes is forgotten',
    plant: () => ({ flaw: 'forgets-owed-work' }),
    rows: ['F7', 'F21'],
    tells: /, and forgotten/,
  },
  {
    name: 'what an erasure owes is done under the new name',
    plant: () => ({ flaw: 'owes-under-the-new-name' }),
    rows: [],
    tells: /, and forgotten/,
    // A Studio has one identity for all.
    onlyOn: 'cloud',
  },
  {
    name: 'owed work is taken for done as soon as somebody is at it',
    plant: settlesFirst,
    rows: ['F7', 'F21'],
    tells: /, and forgotten/,
  },
]
