import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Session, TerminalEventBody } from '../../src/domain.ts'
import type { StoredRow } from '../../src/store/engine/columns.ts'
import { Sessions } from '../../src/store/postgres/sessions.ts'
import type { RunLease } from '../../src/store/run-lease.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import {
  accept,
  acceptReply,
  assistant,
  cancelled,
  completed,
  endByOther,
  finish,
  openSession,
  otherAssistant,
  runReply,
  startConversation,
} from '../kit/fakes/stored-replies.ts'
import { openStore } from '../kit/process/instances.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { createRandom } from '../kit/random.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())
afterEach(() => vi.restoreAllMocks())

/** A store whose time stands still: no text is written before its reply ends. */
const open = (url: string) => openStore(url, createFakeClock())

const account = {
  scope: { origin: 'https://upstream.test', account: 'account' },
  strategy: 'bot',
} as const
const begin = { assistantId: assistant, served: [account] }

/** A session with a conversation that is bound. */
async function openBound(
  store: Store,
): Promise<{ readonly session: Session; readonly run: RunLease }> {
  const session = await openSession(store.ledger)
  const run = await runReply(store, session)
  const binding = { ...account, conversationId: `up-${session.id}` }
  await run.bind(binding, { contextReset: false, at: 3 })
  await finish(run, completed('said'))
  // Whatever is asked next of the session comes behind what was asked ahead.
  await store.ledger.session(session).replyState(run.reply.id)
  return { session, run }
}

async function send(store: Store, session: Session, key: string): Promise<RunLease> {
  const idempotency = { key, digest: 'digest' }
  const outcome = await accept(store.ledger, session, { begin, idempotency })
  const lease = outcome.type === 'accepted' ? outcome.lease : undefined
  if (lease === undefined) throw new Error('expected a run')
  return lease
}

/** Where nothing runs PostgreSQL says null. */
const withRuns = (found: StoredRow | undefined) => ({ ...found, running: found?.['running'] ?? [] })

describe('a session on PostgreSQL that talks to one instance', () => {
  it('costs two statements for each short reply: one that begins it, and one that ends it', async () => {
    await using store = await open(await server.newDatabase())
    const { session } = await openBound(store)
    const query = vi.spyOn(Client.prototype, 'query')
    const ids = []
    for (const key of ['one', 'two', 'three']) {
      const lease = await send(store, session, key)
      lease.recordChat(`chat ${key}`)
      await lease.append([{ kind: 'ANSWER', offset: 0, text: key }])
      await finish(lease, completed(key))
      ids.push(lease.reply.id)
    }
    expect(query).toHaveBeenCalledTimes(2 * ids.length)
    vi.restoreAllMocks()
    const replies = await store.ledger.session(session).replies(ids)
    expect(replies).toMatchObject([{ text: 'one' }, { text: 'two' }, { text: 'three' }])
  })

  it('has each write decided on what the database would say, whatever was done before', async () => {
    const url = await server.newDatabase()
    await using store = await open(url)
    await using other = await open(url)
    const { session, run } = await openBound(store)
    let compared = 0
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the instance that is asked
    const { change } = Sessions.prototype
    vi.spyOn(Sessions.prototype, 'change').mockImplementation(async function (
      this: Sessions,
      ...args: Parameters<typeof change>
    ) {
      const [sessionId, find, , , known] = args
      const asked = known && (await this.ask(sessionId, find))
      // Where another one has written since, it is not decided on.
      if (known !== undefined && asked?.['version'] === known['version']) {
        compared += 1
        expect(withRuns(asked)).toMatchObject(withRuns(known))
      }
      return await change.apply(this, args)
    })

    const { conversationId } = run.reply
    const random = createRandom(7)
    const asking = (said: string): TerminalEventBody => ({
      type: 'completed',
      text: said,
      usage: null,
      followUps: [],
      question: { text: 'which?', options: [], fields: [] },
      omitted: [],
      contextReset: false,
    })
    const steps: readonly ((key: string) => Promise<unknown>)[] = [
      async (key) => finish(await send(store, session, key), completed(key)),
      async (key) => finish(await send(store, session, key), completed(key)),
      async (key) => finish(await send(store, session, key), cancelled),
      async (key) => finish(await send(store, session, key), asking(key)),
      async (key) => {
        const lease = await send(store, session, key)
        await lease.append([{ kind: 'ANSWER', offset: 0, text: key }])
        await finish(lease, completed(key))
      },
      async (key) => {
        const lease = await send(store, session, key)
        await acceptReply(store.ledger, session, { conversationId })
        await finish(lease, completed(key))
        const next = await store.ledger.claim(session, conversationId, 5)
        await next?.intend({ binding: undefined, contextReset: false, at: 5 })
        if (next !== undefined) await finish(next, completed(key))
      },
      async (key) => {
        const lease = await send(other, session, key)
        await endByOther(store, session, lease.reply.id)
      },
      async (key) => {
        const conversation = { assistantId: otherAssistant }
        const begun = await startConversation(store.ledger, session, conversation)
        if (begun.type !== 'started') throw new Error(key)
        await store.ledger.deleteConversation(session, begun.conversation.id, 6)
      },
    ]
    for (let count = 0; count < 60; count += 1) {
      await random.pick(steps)(`key-${count}`)
      // What is asked ahead comes behind it.
      await store.ledger.session(session).replyState(run.reply.id)
    }
    expect(compared).toBeGreaterThan(40)
  })
})
