import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const runPath = '/v1/workflows/chat'

describe('a Workflow that refuses or fails before its stream', () => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem()
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  const runs = async () => (await system.emulator.state()).requests[`POST ${runPath}`] ?? 0

  /** The log line of a run that failed after so much of the log had been written. */
  const lineAfter = (written: number) =>
    until(
      () =>
        system.gateway.output
          .slice(written)
          .split('\n')
          .find((line) => line.includes('upstream run failed') && line.endsWith('}')),
      'the line of the failed run',
    )

  async function failWith(who: Person, code: number, msg: string) {
    const before = await runs()
    const written = system.gateway.output.length
    await system.emulator.faults(runPath, { kind: 'jsonError', code, msg })
    const { id } = await talk.send(who, 'what is my secret?')
    return { written, end: await talk.ending(who, id), runs: (await runs()) - before }
  }

  it('runs a broken Workflow once, and keeps the conversation', async () => {
    const alice = system.person('alice')
    await talk.say(alice, 'my secret is heron')
    const failed = await failWith(
      alice,
      777777775,
      'Workflow operation failure: panic error: runtime error: my secret is heron',
    )
    expect(failed.end).toMatchObject({
      __typename: 'ReplyFailed',
      failure: { code: 'UPSTREAM_ERROR' },
    })
    expect(failed.runs).toBe(1)
    expect(await talk.say(alice, 'what is my secret?')).toMatchObject({
      text: 'Your secret is heron.',
      contextReset: false,
    })
    const line = await lineAfter(failed.written)
    expect(line).toContain('777777775')
    expect(line).toContain('run it in its editor')
    expect(line).not.toContain('heron')
  })

  it('F41: begins anew where the same code says that the conversation is gone', async () => {
    const bob = system.person('bob')
    await talk.say(bob, 'my secret is robin')
    const gone = await failWith(
      bob,
      777777775,
      'Workflow operation failure: conversation not found',
    )
    expect(gone.end).toMatchObject({ text: 'Your secret is robin.', contextReset: true })
    expect(gone.runs).toBe(2)
  })

  it.each([
    [720702011, 'workflow not published', 'publish the assistant to the API channel'],
    [720702004, 'workflow 5 not found', 'the ids in the address bar'],
    [720702002, "Missing required parameters: 'input'", 'the start node of the Workflow'],
    [
      777777775,
      'Workflow operation failure: code=106000001 message=unauthorized access : no permission\nstack=a.go',
      'access to the workspace',
    ],
    [4015, 'not published', 'publish the assistant to the API channel'],
  ])('tells the operator what to mend, and nobody to try again (%i)', async (code, msg, hint) => {
    const cem = system.person('cem')
    const failed = await failWith(cem, code, msg)
    expect(failed.end).toMatchObject({ failure: { code: 'UPSTREAM_REFUSED', retryable: false } })
    expect(failed.runs).toBe(1)
    const line = await lineAfter(failed.written)
    expect(line).toContain(hint)
    expect(line).not.toContain('stack=')
  })

  it.each([
    [4013, true],
    [4010, false],
    [4012, false],
    [4014, false],
  ])('says whether another try may help when the model fails (%i: %s)', async (code, retryable) => {
    const failed = await failWith(system.person('dan'), code, 'the model')
    expect(failed.end).toMatchObject({ failure: { code: 'UPSTREAM_ERROR', retryable } })
    expect(failed.runs).toBe(1)
  })
})
