import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { readMetrics } from '../kit/process/metrics.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'

const repliesDocument = RepliesDocument.toString()

const mark = () => `mark${randomBytes(8).toString('hex')}`

describe('P6 T18: no secret leaves', () => {
  let system: System
  const marks: string[] = []
  const tokens: string[] = []
  const refusals: string[] = []
  const remember = (text: string) => {
    marks.push(text)
    return text
  }

  beforeAll(async () => {
    system = await startSystem({
      timeouts: {
        firstEventMs: 1_000,
        idleBotMs: 300,
        idleWorkflowMs: 300,
        drainMs: 100,
        recoverMs: 3_000,
      },
      // A breach must not keep away what goes wrong after it.
      assistants: { onBreach: 'alert' },
    })
    await live()
  }, 300_000)
  afterAll(() => system[Symbol.asyncDispose]())

  /** A life in which much goes well and much goes wrong. */
  async function live() {
    const talk = createTalk(system)
    const who = system.person(remember(mark()))
    tokens.push(who.token)
    for (const assistantId of ['flow', 'bot']) {
      const path = assistantId === 'bot' ? '/v3/chat' : '/v1/workflows/chat'
      const say = async (faults: Parameters<typeof system.emulator.faults>[1][]) => {
        if (faults.length > 0) await system.emulator.faults(path, ...faults)
        const text = `/think ${remember(mark())}\n/say ${remember(mark())}`
        await talk.say(who, { text, assistantId, idempotencyKey: remember(mark()) })
      }
      await say([])
      await say([{ kind: 'malformed', afterDeltas: 0 }])
      await say([{ kind: 'jsonError', code: 4000, msg: remember(mark()) }])
      await say([{ kind: 'status', status: 500, body: remember(mark()) }])
      await say([{ kind: 'stall', afterDeltas: 0 }])
      await say([{ kind: 'foreignChat' }])
      await say([{ kind: 'revokeTokens' }])
      await say([{ kind: 'cut', afterDeltas: 0 }])
      await talk.say(who, { text: `/fail 5000 ${remember(mark())}`, assistantId })
      await talk.say(who, { text: `/error 4000 ${remember(mark())}`, assistantId })
      await system.emulator.release()
    }
    await system.emulator.repeatFaults('/api/permission/oauth2/token', 5, {
      kind: 'status',
      status: 400,
      body: JSON.stringify({ error_code: 'invalid_client', error_message: remember(mark()) }),
    })
    await talk.say(system.person(remember(mark())), remember(mark()))
    await system.emulator.clearFaults()
    await refuse(who)
    await system.gateway.kill('SIGTERM')
    await system.gateway.restart()
  }

  async function refuse(who: Person) {
    const secret = remember(mark())
    const bad = `${who.token.slice(0, -6)}AAAAAA`
    tokens.push(bad)
    const calls = [
      { token: who.token, query: `{ reply(id: "${secret}") { nonsense } }` },
      { token: who.token, query: `{ "${secret} ` },
      {
        token: who.token,
        query: 'query ($id: ID!) { reply(id: $id) { id } }',
        variables: { id: { secret } },
      },
      { token: who.token, query: `{ conversations(after: "${secret}") { edges { cursor } } }` },
      { token: bad, query: `{ viewer { sessionFingerprint } }` },
      { token: secret, query: `{ viewer { sessionFingerprint } }` },
    ]
    for (const call of calls) refusals.push((await system.client.call(call)).body)
    using stream = await system.client.stream({
      token: who.token,
      query: repliesDocument,
      lastEventId: secret,
    })
    refusals.push(await stream.refusal)
  }

  function findLeaks(text: string): readonly string[] {
    const parts = tokens.flatMap((token) => [token, ...token.split('.').slice(1)])
    return [...marks, ...parts, ...system.secrets].filter((secret) => text.includes(secret))
  }

  it('into logs', () => {
    const { output } = system.gateway
    expect(output).toContain('UPSTREAM_ERROR')
    expect(findLeaks(output)).toEqual([])
    expect(output).not.toMatch(/czs_[\w-]{10}/)
  })

  it('into metrics', async () => {
    const metrics = await readMetrics(system.gateway)
    expect(metrics).toContain('coze_gateway_')
    expect(findLeaks(metrics)).toEqual([])
  })

  it('into errors, beyond what the caller itself wrote in a document', () => {
    expect(refusals).toHaveLength(7)
    for (const refusal of refusals) {
      expect(JSON.parse(refusal)).toHaveProperty('errors')
      expect(system.secrets.filter((secret) => refusal.includes(secret))).toEqual([])
      expect(tokens.filter((token) => refusal.includes(token))).toEqual([])
    }
  })

  it('T19: into the store: no access token is there as it is', async () => {
    const file = system.storeFile
    for (const suffix of ['', '-wal']) {
      const bytes = await readFile(`${file}${suffix}`).catch(() => Buffer.alloc(0))
      expect(bytes.includes('czs_')).toBe(false)
      expect(system.secrets.filter((secret) => bytes.includes(secret))).toEqual([])
    }
    expect((await readFile(file)).byteLength).toBeGreaterThan(0)
  })
})
