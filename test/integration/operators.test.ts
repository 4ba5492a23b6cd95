import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import {
  AssistantsDocument,
  ClearQuarantineDocument,
  IsolationDocument,
  type IsolationQuery,
  LoadDocument,
  ProbeAssistantDocument,
  type ProbeAssistantInput,
  ProbeProgressDocument,
  type ProbeProgressSubscription,
} from '../../schema/operations/generated/graphql.ts'
import { startSystem, type Person, type System, type SystemOptions } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

type Step = ProbeProgressSubscription['probeProgress']

const scope = 'coze-gateway:operator'

async function open(options: SystemOptions = {}) {
  const system = await startSystem(options)
  const talk = createTalk(system)
  const operator: Person = { name: 'operator', token: system.tokenFor('operator', 600, scope) }
  const alice = system.person('alice')
  const bob = system.person('bob')

  async function isolationOf(name: string) {
    const found = await talk.ask(operator, IsolationDocument, {})
    return isolation(found, name)
  }
  async function probe(input: ProbeAssistantInput): Promise<readonly Step[]> {
    const begun = await talk.ask(operator, ProbeAssistantDocument, { input })
    const { probe } = member(begun?.probeAssistant, 'ProbeAssistantSuccess')
    return await follow(system, operator, probe.id)
  }
  return {
    system,
    talk,
    operator,
    alice,
    bob,
    isolationOf,
    probe,
    [Symbol.asyncDispose]: () => system[Symbol.asyncDispose](),
  }
}

async function follow(system: System, who: Person, probeId: string): Promise<readonly Step[]> {
  const query = ProbeProgressDocument.toString()
  using stream = await system.client.stream({ token: who.token, query, variables: { probeId } })
  const steps: Step[] = []
  for (let frame = await stream.next(); frame; frame = await stream.next()) {
    steps.push(JSON.parse(frame.data ?? 'null').data.probeProgress)
  }
  expect(await stream.ended).toBe('complete')
  return steps
}

function member<Union extends { __typename: string }, Name extends Union['__typename']>(
  result: Union | undefined,
  name: Name,
): Extract<Union, { __typename: Name }> {
  const isMember = (one: Union): one is Extract<Union, { __typename: Name }> =>
    one.__typename === name
  if (result === undefined || !isMember(result)) throw new Error(JSON.stringify(result))
  return result
}

function isolation(found: IsolationQuery | undefined, name: string) {
  const assistant = found?.assistants.find((one) => one.name === name)
  if (assistant === undefined) throw new Error('no such assistant')
  const { isAvailable, isolation } = assistant
  if (!isolation) throw new Error('not an operator')
  return { isAvailable, ...isolation }
}

async function health(system: System) {
  const { statusCode, body } = await request(`${system.gateway.url}/health/ready`)
  return [statusCode, await body.json()]
}

describe('operators', () => {
  it('probe an assistant, follow it, and are told the verdict, which is for them alone', async () => {
    await using opened = await open()
    const { system, talk, alice, probe, isolationOf } = opened
    expect(await isolationOf('Flow')).toMatchObject({
      verdict: 'UNPROVEN',
      isAvailable: true,
      checkedAt: null,
      findings: [],
      keying: [{ strategy: 'WORKFLOW', layers: expect.any(Array) }],
    })
    const steps = await probe({ assistantId: 'flow', trials: 1 })
    expect(steps.slice(0, -1).map((step) => step.__typename)).toContain('ProbeStep')
    const end = steps.at(-1)
    if (end?.__typename !== 'ProbeCompleted') throw new Error(JSON.stringify(end))
    expect(end.reports).toMatchObject([
      {
        assistant: { name: 'Flow' },
        strategy: 'WORKFLOW',
        verdict: 'ISOLATED',
        leftBehind: [expect.any(String)],
      },
    ])
    const shown = await isolationOf('Flow')
    expect(shown).toMatchObject({ verdict: 'ISOLATED', checkedAt: end.reports[0]?.endedAt })
    expect(shown.findings).toHaveLength(6)
    expect(await isolationOf('Bot')).toMatchObject({ verdict: 'UNPROVEN' })

    const word = await talk.ask(alice, AssistantsDocument, {})
    expect(word?.assistants[0]).toMatchObject({ name: 'Flow', isAvailable: true })
    const query = IsolationDocument.toString()
    const more = JSON.parse((await system.client.call({ token: alice.token, query })).body)
    expect(more.data.assistants[0].isolation).toBe(null)
    expect(more.errors[0].extensions.code).toBe('FORBIDDEN')
  })

  it('keep the verdict over a restart, until the settings are others', async () => {
    await using opened = await open()
    const { system, probe, isolationOf } = opened
    await probe({ assistantId: 'Flow', trials: 1 })
    await system.gateway.kill('SIGKILL')
    await system.gateway.restart()
    expect(await isolationOf('Flow')).toMatchObject({ verdict: 'ISOLATED' })
    await system.gateway.kill('SIGTERM')
    const config = JSON.parse(await readFile(system.gateway.configFile, 'utf8'))
    config.assistants[0].workflow.parameters = { mood: 'calm' }
    await writeFile(system.gateway.configFile, JSON.stringify(config))
    await system.gateway.restart()
    expect(await isolationOf('Flow')).toMatchObject({ verdict: 'STALE', isAvailable: true })
  })

  it('alone may do so, one probe at a time, and of what there is', async () => {
    await using opened = await open()
    const { system, talk, operator, alice } = opened
    for (const [document, variables] of [
      [ProbeAssistantDocument, { input: {} }],
      [ClearQuarantineDocument, { input: { assistantId: 'flow' } }],
    ] as const) {
      const answer = await system.client.call({
        token: alice.token,
        query: document.toString(),
        variables,
      })
      expect(JSON.parse(answer.body).errors[0].extensions.code).toBe('FORBIDDEN')
    }
    const ask = async (input: ProbeAssistantInput) =>
      (await talk.ask(operator, ProbeAssistantDocument, { input }))?.probeAssistant
    expect(await ask({ assistantId: 'nobody' })).toMatchObject({ code: 'NOT_FOUND' })
    expect(await ask({ trials: 0 })).toMatchObject({ code: 'INVALID_INPUT' })
    expect(await ask({ budget: 10_001 })).toMatchObject({ code: 'INVALID_INPUT' })
    const fact = { sessionName: 's', question: 'q', value: 'abc' }
    expect(await ask({ knowledge: [fact] })).toMatchObject({ code: 'INVALID_INPUT' })

    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause' })
    const { probe } = member(await ask({ assistantId: 'flow' }), 'ProbeAssistantSuccess')
    const { id: probeId, maxUpstreamCalls } = probe
    expect(maxUpstreamCalls).toBeGreaterThan(20)
    await system.emulator.until({ held: 'pause' })
    expect(await ask({ assistantId: 'bot' })).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: 30_000,
    })
    await system.emulator.release()
    expect((await follow(system, operator, probeId)).at(-1)?.__typename).toBe('ProbeCompleted')
    // What is over can be followed still, and by operators only.
    expect((await follow(system, operator, probeId)).at(-1)?.__typename).toBe('ProbeCompleted')
    const query = ProbeProgressDocument.toString()
    for (const [who, variables, status] of [
      [alice, { probeId }, 403],
      [operator, { probeId: 'other' }, 404],
    ] as const) {
      using stream = await system.client.stream({ token: who.token, query, variables })
      expect(stream.status).toBe(status)
    }
  })

  it('are told why a probe could not go on', async () => {
    await using opened = await open()
    const { system, probe, isolationOf } = opened
    await system.emulator.repeatFaults('/v1/conversation/create', 50, {
      kind: 'jsonError',
      code: 4101,
    })
    const steps = await probe({ assistantId: 'flow' })
    expect(steps.at(-1)).toMatchObject({
      __typename: 'ProbeFailed',
      message: expect.stringContaining('could not be tested'),
    })
    expect(await isolationOf('Flow')).toMatchObject({ verdict: 'UNPROVEN' })
  })

  it.each([
    ['forgetful', 'INCONCLUSIVE', true],
    ['scripted', 'LEAKING', false],
  ] as const)('of a %s assistant whose app leaks learn %s', async (model, verdict, isAvailable) => {
    const leaks = { sharedName: true, staticConversation: model === 'scripted' }
    await using opened = await open({
      emulator: { model, leaks: model === 'scripted' ? leaks : {} },
    })
    const { system, talk, alice, probe, isolationOf } = opened
    await probe({ assistantId: 'flow', trials: 1 })
    const found = await isolationOf('Flow')
    expect(found).toMatchObject({ verdict, isAvailable })
    expect(found.findings).toContainEqual(
      expect.objectContaining({ layer: 'CONVERSATION', verdict }),
    )
    const sent = await talk.trySend(alice, { text: 'hello', assistantId: 'flow' })
    expect(sent).toMatchObject(
      isAvailable
        ? { __typename: 'SendMessageSuccess' }
        : { code: 'ASSISTANT_UNAVAILABLE', retryAfterMs: null },
    )
    expect(await (await request(`${system.gateway.metricsUrl}`)).body.text()).toContain(
      `coze_gateway_isolation_verdict{assistant="flow",strategy="workflow",verdict="${verdict}"} 1`,
    )
  })

  it('T13: see who met in a breach, by fingerprints and in the readiness, and clear the quarantine', async () => {
    await using opened = await open({ emulator: { leaks: { staticConversation: true } } })
    const { system, talk, operator, alice, bob, isolationOf } = opened
    expect(await health(system)).toEqual([200, { status: 'ready', durability: 'disk' }])
    await talk.say(alice, { text: 'my secret is plum', assistantId: 'flow' })
    expect(await talk.say(bob, { text: 'hello', assistantId: 'flow' })).toMatchObject({
      failure: { code: 'ISOLATION_BREACH' },
    })
    const refused = { code: 'ASSISTANT_UNAVAILABLE', retryAfterMs: null }
    expect(await talk.trySend(alice, { text: 'again', assistantId: 'flow' })).toMatchObject(refused)
    const found = await isolationOf('Flow')
    expect(found).toMatchObject({ verdict: 'BREACHED', isAvailable: false })
    expect(await health(system)).toEqual([200, { status: 'degraded', durability: 'disk' }])
    const prints = []
    for (const who of [alice, bob]) {
      const query = '{ viewer { sessionFingerprint } }'
      prints.push(
        JSON.parse((await system.client.call({ token: who.token, query })).body).data.viewer
          .sessionFingerprint,
      )
    }
    expect(found.findings).toMatchObject([
      {
        layer: 'CONVERSATION',
        verdict: 'LEAKING',
        remedy: expect.stringContaining('静态会话名称'),
        evidence: [{ sessionFingerprints: prints, upstreamLogIds: [expect.any(String)] }],
      },
    ])
    // It stands over a restart, and the other assistant is served all the while.
    await system.gateway.kill('SIGKILL')
    await system.gateway.restart()
    expect(await talk.trySend(bob, { text: 'again', assistantId: 'flow' })).toMatchObject(refused)
    expect(await talk.say(bob, { text: 'hello', assistantId: 'bot' })).toMatchObject({
      __typename: 'ReplyCompleted',
    })
    const cleared = await talk.ask(operator, ClearQuarantineDocument, {
      input: { assistantId: 'flow' },
    })
    expect(cleared?.clearQuarantine).toMatchObject({
      assistant: { isAvailable: true, isolation: { verdict: 'UNPROVEN' } },
    })
    expect(await health(system)).toEqual([200, { status: 'ready', durability: 'disk' }])
    const unknown = await talk.ask(operator, ClearQuarantineDocument, {
      input: { assistantId: 'x' },
    })
    expect(unknown?.clearQuarantine).toMatchObject({ code: 'NOT_FOUND' })
    // What has been met in is nobody's, quarantine or not.
    expect(
      await talk.say(alice, { text: 'what is my secret?', assistantId: 'flow' }),
    ).toMatchObject({
      failure: { code: 'ISOLATION_BREACH' },
    })
    expect(system.gateway.output).not.toContain('plum')
  })

  it('have nobody served, and nobody sent here, before there is proof, if they ask for it', async () => {
    await using opened = await open({
      flow: { requireProof: true },
      probe: { requiredForReady: true },
    })
    const { system, talk, alice, probe } = opened
    expect(await talk.trySend(alice, { text: 'hello', assistantId: 'flow' })).toMatchObject({
      code: 'ASSISTANT_UNAVAILABLE',
      message: expect.stringContaining('not proven'),
    })
    expect(await health(system)).toEqual([503, { status: 'not ready', durability: 'disk' }])
    await probe({ trials: 1 })
    expect(await talk.say(alice, { text: 'hello', assistantId: 'flow' })).toMatchObject({
      __typename: 'ReplyCompleted',
    })
    expect(await health(system)).toEqual([200, { status: 'ready', durability: 'disk' }])
  })

  it('see what each assistant does of what it may, and what this instance has counted', async () => {
    await using opened = await open({ probe: { checkAtStart: false } })
    const { system, talk, operator, alice, probe } = opened
    await talk.say(alice, { text: 'hello', assistantId: 'bot' })
    await talk.say(alice, { text: '/fail 4024 no', assistantId: 'bot' })
    await probe({ trials: 1, assistantId: 'bot' })
    const seen = await talk.ask(operator, LoadDocument, {})
    expect(seen).toMatchObject({
      assistants: expect.arrayContaining([
        {
          name: 'Bot',
          load: {
            runningReplies: 0,
            waitingReplies: 0,
            maxRunningReplies: 1_000,
            maxStartsPerSecond: expect.any(Number),
            circuit: 'CLOSED',
            circuitRetryAfterMs: null,
          },
        },
      ]),
      liveCounts: {
        acceptedMessages: 2,
        endedReplies: expect.arrayContaining([
          { name: 'COMPLETED', count: 1 },
          { name: expect.stringMatching(/^FAILED UPSTREAM_/), count: 1 },
        ]),
        endedSubscriptions: expect.arrayContaining([
          { name: 'completed', count: expect.any(Number) },
        ]),
        medianFirstDeltaMs: expect.any(Number),
        slowFirstDeltaMs: expect.any(Number),
      },
      probes: [{ status: 'COMPLETED', reports: [{ strategy: 'BOT', verdict: 'ISOLATED' }] }],
    })
    const query = LoadDocument.toString()
    const { body } = await system.client.call({ token: alice.token, query })
    expect(body).toContain('FORBIDDEN')
    expect(JSON.parse(body)).toMatchObject({
      data: { assistants: [{ load: null }, { load: null }], liveCounts: null, probes: null },
    })
  })

  it('F1: see that an assistant that cannot be reached is left alone, and for how long', async () => {
    await using opened = await open({
      baseUrl: 'http://127.0.0.1:1',
      limits: { circuitFailures: 1 },
      timeouts: { retryMs: 0 },
    })
    const { talk, operator, alice } = opened
    await talk.say(alice, { text: 'hello', assistantId: 'bot' })
    const seen = await talk.ask(operator, LoadDocument, {})
    expect(seen?.assistants.find(({ name }) => name === 'Bot')?.load).toMatchObject({
      circuit: 'OPEN',
      circuitRetryAfterMs: expect.any(Number),
    })
    expect(seen?.liveCounts?.upstreamErrors.map(({ name }) => name).join()).toContain(
      'ECONNREFUSED',
    )
  })

  it('have it probed by itself, as often as they say', async () => {
    await using opened = await open({
      probe: { intervalHours: 1, jitterMinutes: 0, trials: 1 },
    })
    const { isolationOf } = opened
    await until(async () => (await isolationOf('Bot')).verdict === 'ISOLATED', 'the probe to end')
  })
})
