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
} from './bugs.ts'
import {
  cancelsLater,
  interruptsBeforeTheKey,
  keepsTheName,
  keepsWhatWasCancelled,
  sendsBeforeTheIntent,
  settlesFirst,
  showsBeforeTheBinding,
  tellsTextFirst,
} from './order-bugs.ts'
import type { SeededBug } from './seeded-bug.ts'

export interface SeededBugEntry {
  readonly name: string
  /** A fresh one for each run: bugs remember things. */
  readonly bug: () => SeededBug
  /** The faults that bring it out. */
  readonly rows: readonly FaultRow[]
  /** A problem that tells of it. */
  readonly tells: RegExp
  /** The one platform that brings it out. Default: either does. */
  readonly onlyOn?: Platform
}

const falseBreach = /^isolation: a breach of .* is told, and nobody has met/

export const seededBugs: readonly SeededBugEntry[] = [
  {
    name: 'the ledger ignores idempotency keys',
    bug: ignoresKeys,
    rows: ['F39'],
    tells: /^6: key/,
  },
  {
    name: 'the store forgets to check fences',
    bug: () => ({ flaw: 'forgets-fences' }),
    rows: ['F23', 'F10', 'F32'],
    tells: /^[1346]: /,
  },
  {
    name: 'a run of unknown outcome is sent again',
    bug: sendsAgain,
    rows: ['F7', 'F9'],
    tells: /^6: the message of/,
  },
  {
    name: 'the client tries again whatever failed',
    bug: retriesAnything,
    rows: ['F7'],
    tells: /^6: the message of/,
  },
  {
    name: 'recovery queues what may have been sent',
    bug: () => ({ flaw: 'sends-again' }),
    rows: ['F21', 'F25'],
    tells: /^6: the message of/,
  },
  {
    name: 'a reader resumes too late in a text',
    bug: () => resumesAt(1),
    rows: [],
    tells: /^1: /,
  },
  {
    name: 'a reader resumes too early in a text',
    bug: () => resumesAt(-1),
    rows: [],
    tells: /^[14]: .* (does not come after|goes back|tells again)/,
  },
  { name: 'a merge loses a delta', bug: losesADelta, rows: ['F36'], tells: /^[124]: / },
  { name: 'offsets count bytes', bug: countsBytes, rows: [], tells: /^1: .* leaves a gap/ },
  {
    name: 'a revision names another text after a crash',
    bug: () => ({ flaw: 'counts-revisions' }),
    rows: ['F13', 'F19', 'F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a reply ends twice',
    bug: () => ({ flaw: 'ends-twice' }),
    rows: [],
    tells: /^3: .* (ended|end)/,
  },
  {
    name: 'two replies of a conversation run at once',
    bug: () => ({ flaw: 'runs-two' }),
    rows: ['F23', 'F10'],
    tells: /started while/,
  },
  {
    name: 'what an interrupting message overtakes runs after it',
    bug: () => ({ flaw: 'keeps-overtaken' }),
    rows: [],
    tells: /goes on after .* has interrupted it$/,
  },
  {
    name: 'a message is acknowledged before it is durable',
    bug: () => ({ flaw: 'tells-early' }),
    rows: ['F21', 'F32'],
    tells: /^3: .* never ended/,
  },
  {
    name: 'an end is shown before it is durable',
    bug: () => ({ flaw: 'shows-early' }),
    rows: ['F21', 'F32', 'F23'],
    tells: /^[123]: /,
  },
  {
    name: 'access tokens of sessions are mixed up',
    bug: mixesTokens,
    rows: [],
    tells: /^(isolation|5): /,
    // A Studio has one for all.
    onlyOn: 'cloud',
  },
  {
    name: 'the guard checks nothing',
    bug: sleepingGuard,
    rows: ['F16'],
    tells: /^(isolation|5): /,
  },
  {
    name: 'a conversation that is bound already is bound again',
    bug: () => ({ flaw: 'binds-again' }),
    rows: ['T13'],
    tells: /^(isolation|5): /,
  },
  {
    name: 'an assistant is served on after a breach',
    bug: servesWhatLeaks,
    rows: ['T13'],
    tells: /^isolation: .* goes to .*, where two have met/,
  },
  {
    name: 'a breach is not stored',
    bug: storesNoBreach,
    rows: ['T13'],
    tells: /^isolation: .* is not stored/,
  },
  { name: "a reader is given another session's log", bug: mixesLogs, rows: [], tells: /^5: / },
  {
    name: 'a reply is found by whoever knows its id',
    bug: asksForNoOwner,
    rows: [],
    tells: /^isolation: .* could/,
  },
  { name: 'a wake-up is lost', bug: losesWakes, rows: [], tells: /stays at/ },
  {
    name: 'what waits is forgotten at a restart',
    bug: forgetsWaiting,
    rows: ['F21', 'F25'],
    tells: /not all replies have ended/,
  },
  {
    name: 'a message goes where an earlier run was not seen to end',
    bug: keepsUpstream,
    rows: ['F9', 'F10'],
    tells: /goes where .* still runs/,
  },
  {
    name: 'a correction is dropped',
    bug: dropsCorrections,
    rows: ['F19'],
    tells: /another text than the upstream/,
  },
  {
    name: 'a disconnect cancels the reply',
    bug: cancelsOnDisconnect,
    rows: [],
    tells: /is cancelled, and nothing has caused it/,
  },
  {
    name: 'a list that is not there is taken for an empty one',
    bug: takesNothingForTheEnd,
    rows: ['F9'],
    tells: /another text than the upstream/,
  },
  {
    name: 'a shorter text is taken for the end',
    bug: takesLessForTheEnd,
    rows: ['F21', 'F9'],
    tells: /another text than the upstream/,
  },
  {
    name: "older messages that were sent along are taken for a stranger's",
    bug: suspectsSeeds,
    rows: ['F9', 'F18'],
    tells: falseBreach,
    // The cloud stores them under the chat that brought them.
    onlyOn: 'studio',
  },
  {
    name: 'a conversation that is gone is told as a breach',
    bug: suspectsMoves,
    rows: ['F41'],
    tells: falseBreach,
    // The cloud says that it is gone.
    onlyOn: 'studio',
  },
  {
    name: 'how conversations are obtained is not learnt',
    bug: learnsNoKeying,
    rows: [],
    tells: /failed as UPSTREAM_REFUSED, and nothing has caused it/,
    // The cloud knows the conversations that it has made.
    onlyOn: 'studio',
  },
  {
    name: 'a message leaves before its send intent is durable',
    bug: sendsBeforeTheIntent,
    rows: ['F21', 'F32'],
    tells: /^6: the message of/,
  },
  {
    name: 'the text of a Workflow is shown before its conversation is bound',
    bug: () => showsBeforeTheBinding('workflow'),
    rows: ['T13'],
    tells: /^(isolation|5): /,
    // The cloud shares only what a call has made.
    onlyOn: 'studio',
  },
  {
    name: 'the text of a Bot that goes on elsewhere is shown before its conversation is bound',
    bug: () => showsBeforeTheBinding('bot'),
    rows: ['T13', 'F41'],
    tells: /^(isolation|5): /,
    onlyOn: 'studio',
  },
  {
    name: 'only the newest revision remembers what it kept',
    bug: () => ({ flaw: 'forgets-kept' }),
    rows: ['F13', 'F19', 'F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a run that is taken over goes on in the old revision',
    bug: () => ({ flaw: 'keeps-revision' }),
    rows: ['F21', 'F34'],
    tells: /^[124]: /,
  },
  {
    name: 'a group of text is put behind whatever is there',
    bug: () => ({ flaw: 'appends-blindly' }),
    rows: ['F21', 'F32', 'F33', 'F12'],
    tells: /^[124]: /,
  },
  {
    name: 'fences are counted anew at each start',
    bug: () => ({ flaw: 'counts-fences' }),
    rows: ['F23', 'F10', 'F32'],
    tells: /^[1346]: /,
  },
  {
    name: 'who has lost a run reads its text from memory',
    bug: () => ({ flaw: 'reads-stale-memory' }),
    rows: ['F23'],
    tells: /^[124]: /,
  },
  {
    name: 'an INTERRUPT stops what runs before its key is looked up',
    bug: interruptsBeforeTheKey,
    rows: ['F39'],
    tells: /is cancelled, and nothing has caused it/,
  },
  {
    name: 'a message overtakes those that wait',
    bug: () => ({ flaw: 'overtakes-the-queue' }),
    rows: ['F32'],
    tells: /overtakes/,
  },
  {
    name: 'text comes before its reply has started',
    bug: tellsTextFirst,
    rows: [],
    tells: /^1: .* has a delta before its start/,
  },
  {
    name: 'a conversation that goes on in a new one upstream keeps its name there',
    bug: keepsTheName,
    rows: ['F9', 'F10'],
    tells: /goes where .* still runs|whose deletion is owed/,
    // A Studio makes its conversations by the names of runs, and each has its own.
    onlyOn: 'cloud',
  },
  {
    name: 'a message goes where a run was cancelled that nobody told the platform of',
    bug: keepsWhatWasCancelled,
    rows: [],
    tells: /goes where .* still runs/,
  },
  {
    name: 'the platform is told of a cancel too late',
    bug: cancelsLater,
    rows: [],
    tells: /goes where .* still runs/,
  },
  {
    name: 'a conversation that is cleared goes on in the same one upstream',
    bug: () => ({ flaw: 'clears-in-place' }),
    rows: [],
    tells: /whose deletion is owed/,
  },
  {
    name: 'a reader that lags behind a trimmed log is read on to',
    bug: () => ({ flaw: 'reads-on-when-expired' }),
    rows: ['F35', 'F36'],
    tells: /^[124]: /,
  },
  {
    name: 'trimming forgets which event it removed last',
    bug: () => ({ flaw: 'forgets-trimmed-check' }),
    rows: [],
    tells: /has missed nothing/,
  },
  {
    name: 'what a deletion owes is forgotten',
    bug: () => ({ flaw: 'forgets-owed-work' }),
    rows: ['F7', 'F21'],
    tells: /, and forgotten/,
  },
  {
    name: 'what an erasure owes is done under the new name',
    bug: () => ({ flaw: 'owes-under-the-new-name' }),
    rows: [],
    tells: /, and forgotten/,
    // A Studio has one identity for all.
    onlyOn: 'cloud',
  },
  {
    name: 'owed work is taken for done as soon as somebody is at it',
    bug: settlesFirst,
    rows: ['F7', 'F21'],
    tells: /, and forgotten/,
  },
]
