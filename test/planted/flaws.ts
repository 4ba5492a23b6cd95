/** A mistake in how several instances share a database, as an edit of one file, and the test that must find it. */
export interface Flaw {
  readonly name: string
  readonly file: string
  /** Stands in the file once. */
  readonly from: string
  readonly to: string
  readonly test: string
  /** Part of the test's title. */
  readonly title: string
}

const postgres = 'src/store/postgres'
const memory = 'src/store/main-half'
const instances = 'test/contract/postgres-instances.test.ts'
const following = 'test/contract/postgres-following.test.ts'
const late = 'test/contract/postgres-late-texts.test.ts'
const ledger = 'test/contract/postgres-ledger.test.ts'
const engine = 'test/contract/postgres.test.ts'

export const flaws: readonly Flaw[] = [
  {
    name: 'a claim or a take-over goes on in the revision before it',
    file: `${postgres}/claims.ts`,
    from: 'const revisions = keepText(found, nameOfRevision(fence))',
    to: 'const revisions = toRevisions(found)',
    test: following,
    title: 'keeps what it was shown when the reply is taken over',
  },
  {
    name: 'the fence of a reply is the same under each lease',
    file: `${postgres}/claims.ts`,
    from: 'const fence = newId()',
    to: "const fence = `fence-${integer(found['row'])}`",
    test: instances,
    title: 'a zombie that wakes up writes nothing',
  },
  {
    name: 'writes of a run do not compare the fence',
    file: `${postgres}/running-texts.ts`,
    from: 'AND r.id = seen.id AND r.fence = seen.fence',
    to: 'AND r.id = seen.id',
    test: instances,
    title: 'a zombie that wakes up writes nothing',
  },
  {
    name: 'text that was lost is not missed',
    file: `${postgres}/texts.ts`,
    from: "(text[kind]?.offset ?? text.kept?.[kind] ?? 0) > (place === null ? 0 : integer(place['ends']))",
    to: "(text[kind]?.offset ?? 0) > 2 ** 40 + integer(place?.['ends'] ?? 0)",
    test: engine,
    title: 'is told all of the text of what runs again',
  },
  {
    name: 'a run whose intent and start were lost goes on without them',
    file: `${postgres}/texts.ts`,
    from: "text.kept?.isStarted === true && found['started_seq'] === null",
    to: 'false',
    test: engine,
    title: 'is told again that what runs has started',
  },
  {
    name: 'a reply in the name of a living instance that does not hold it is taken over by nobody',
    file: `${postgres}/presence.ts`,
    from: 'await this.#giveUp(leases.filter((fence) => !held.includes(fence)))',
    to: '',
    test: instances,
    title: 'give up a reply that is in their name',
  },
  {
    name: 'an instance whose own beat is late claims and takes over',
    file: `${postgres}/presence.ts`,
    from: 'return clock.monotonic() - this.#beatAt < (heartbeat.deadAfterMs * 2) / 3',
    to: 'return clock.monotonic() - this.#beatAt < Infinity * heartbeat.deadAfterMs',
    test: instances,
    title: 'one whose own beat is late',
  },
  {
    name: 'a database that was away for all makes the others dead',
    file: `${postgres}/presence.ts`,
    from: 'const stands = isUnbroken && before?.beat === beat',
    to: 'const stands = before?.beat === beat',
    test: instances,
    title: 'a database that is away for all',
  },
  {
    name: 'stored times are those of the clock of each instance',
    file: `${memory}/engine-client.ts`,
    from: 'return this.#offsetMs === undefined',
    to: 'return clock.now() > 0',
    test: instances,
    title: 'agree on the time',
  },
  {
    name: 'a message is sent under a claim that another instance may have taken since',
    file: `${memory}/leases.ts`,
    from: 'if (this.#clock.monotonic() - askedAt <= this.#confirmAfterMs) return true',
    to: 'if (this.#clock.monotonic() >= askedAt) return true',
    test: instances,
    title: 'send nothing under a claim',
  },
  {
    name: 'what others are just taking is waited for',
    file: `${postgres}/claims.ts`,
    from: 'FOR UPDATE SKIP LOCKED',
    to: 'FOR UPDATE',
    test: instances,
    title: 'take what another one is not just taking',
  },
  {
    name: 'more replies of a session run at once than may',
    file: `${postgres}/claims.ts`,
    from: "run === null || integer(found['busy']) >= maxRunningPerSession",
    to: 'run === null',
    test: instances,
    title: 'run no more replies of a session at once',
  },
  {
    name: 'an upstream conversation that is found to be shared stops no run elsewhere',
    file: `${postgres}/bindings.ts`,
    from: "{ interrupted: breached, fence: null, instance: '' }",
    to: '{ interrupted: breached }',
    test: instances,
    title: 'take a reply away from the instance that runs it',
  },
  {
    name: 'a write whose answer was lost is decided anew, though it may have been made',
    file: `${postgres}/sessions.ts`,
    from: 'return done.length === 1 || (wasLost && (await this.#isDone(write)))',
    to: 'return done.length === 1',
    test: engine,
    title: 'stores what it says and nothing of what it refuses',
  },
  {
    name: 'a reply that has ended is ended again',
    file: `${postgres}/finish.ts`,
    from: "if (isTerminal(status)) return { type: 'already' }",
    to: '',
    test: ledger,
    title: 'has one winner among all who end a reply at once',
  },
  {
    name: 'the key of a message is not looked up',
    file: `${postgres}/acceptance.ts`,
    from: "if (used !== null && used['conversation'] !== null) {",
    to: 'if (used !== null && request.at < 0) {',
    test: ledger,
    title: 'stores one reply for one key',
  },
  {
    name: 'a reply goes back to the queue after its intent',
    file: `${postgres}/runs.ts`,
    from: "if (!run.isRunning || run.step !== 'claimed') return 'lost'",
    to: "if (!run.isRunning) return 'lost'",
    test: ledger,
    title: 'never gives back what may have been sent',
  },
  {
    name: 'what runs in a conversation is not looked at by a claim',
    file: `${postgres}/claims.ts`,
    from: "ORDER BY q.status = 'QUEUED', q.rank LIMIT 1",
    to: "AND q.status = 'QUEUED' ORDER BY q.rank LIMIT 1",
    test: ledger,
    title: 'runs the replies of a conversation in the order in which they came',
  },
  {
    name: 'who has lost a run reads its text from memory',
    file: `${memory}/stored-log.ts`,
    from: 'ended.has(replyId) ? undefined : log.text(replyId)',
    to: 'log.text(replyId)',
    test: following,
    title: 'meets at the instance that has lost the reply',
  },
  {
    name: 'a removal on another instance leaves what is in memory',
    file: 'src/store/session-log.ts',
    from: 'if (this.#mark !== undefined && this.#mark !== mark) this.forget()',
    to: '',
    test: following,
    title: 'is told nothing of a conversation that was deleted on another instance',
  },
  {
    name: 'sessions in which nothing runs are not asked for',
    file: `${postgres}/following.ts`,
    from: 'AND s.key = ANY(${[...idle]}::text[])',
    to: 'AND s.key = ANY(${[...idle].slice(0, 0)}::text[])',
    test: following,
    title: 'is told of the first reply of a session by the next question',
  },
  {
    name: 'a place beyond the end that is known here is refused',
    file: 'src/store/session-log.ts',
    from: 'return !this.#isShared && end !== undefined && seq > end.seq',
    to: 'return end !== undefined && seq > end.seq',
    test: following,
    title: 'reads a place that is not known there yet',
  },
  {
    name: 'a place in a newer revision is read in the one that is followed here',
    file: 'src/store/session-log.ts',
    from: 'if (this.#running.some(isNewer)) return undefined',
    to: '',
    test: following,
    title: 'reads a place that is not known there yet',
  },
  {
    name: 'an open subscription is not told that the database has lost its place',
    file: 'src/store/session-log.ts',
    from: 'let isNew = known === undefined || end.seq > known.seq || isLost',
    to: 'let isNew = known === undefined || end.seq > known.seq || (isLost && end.seq < 0)',
    test: following,
    title: 'is told that its place is gone while it reads',
  },
  {
    name: 'a place that was given out here and is not there any more is taken for trimmed',
    file: `${postgres}/log.ts`,
    from: 'const mayBeGone = isKnown && wasTrimmed(found, seq)',
    to: 'const mayBeGone = isKnown',
    test: following,
    title: 'is told that its place is gone while it reads',
  },
  {
    name: 'text of another revision is added to the one that is followed',
    file: 'src/store/followed-text.ts',
    from: 'if (own === told) {',
    to: 'if (own !== undefined) {',
    test: 'test/unit/store/followed-text.test.ts',
    title: 'keeps nothing of a revision that was taken back',
  },
  {
    name: 'a text that the server writes late is stored beside the end of its reply',
    file: `${postgres}/session-write.ts`,
    from: 'AND o.text_writes = ${writes}',
    to: 'AND o.text_writes >= ${0 * writes}',
    test: late,
    title: 'the end of its reply is on its way',
  },
]
