import { execFile } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { check } from '../kit/checker.ts'
import { isTerminal } from '../kit/recorder.ts'
import { openStage, type Stage } from '../kit/stage.ts'
import { call, createTalk } from '../kit/talk.ts'
import { until } from '../kit/until.ts'

/** How large a file the gateway may write; by util-linux, so that a write fails in the kernel as on a broken disk. */
async function limitFiles({ gateway }: Stage, bytes: number | 'unlimited'): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(gateway.pid), `--fsize=${bytes}:`])
}

describe('a disk that does not take a write', () => {
  it('F33: costs the replies that run, tells no end that is not stored, and is over without a restart', async () => {
    await using stage = await openStage()
    const talk = createTalk(stage)
    const alice = stage.person('alice')
    await stage.emulator.faults(
      '/v1/workflows/chat',
      { kind: 'gate', afterDeltas: 3, gate: 'written' },
      { kind: 'gate', afterDeltas: 6, gate: 'refused' },
    )
    const { id } = await talk.send(alice, '/long 12')
    const follow = (after?: string) =>
      talk.recorder.follow(stage.client, {
        reader: 'alice',
        as: alice.name,
        token: alice.token,
        replyId: id,
        after,
      })
    const followed = await follow()
    const events = await followed.take((event) => event.__typename === 'ReplyDelta')
    await stage.emulator.until({ gate: 'written' })

    await limitFiles(stage, 0)
    const bob = stage.person('bob')
    const refused = await call(
      stage.client,
      alice,
      'mutation { sendMessage(input: { text: "now?" }) { __typename } }',
      {},
    )
    expect(JSON.parse(refused.body)).toMatchObject({
      errors: [{ extensions: { code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1000 } }],
    })
    const status = async (path: string) => {
      const { statusCode, body } = await request(new URL(path, stage.gateway.url))
      await body.dump()
      return statusCode
    }
    await until(async () => (await status('/health/ready')) === 503, 'a full disk is not ready')
    expect(await status('/health/live')).toBe(200)
    await stage.emulator.release('written')
    events.push(...(await followed.take()))
    expect(await followed.stream.ended).toBe('closed')
    expect(followed.stream.frames.at(-1)?.retry).toBeDefined()
    expect(events.filter(isTerminal)).toEqual([])
    await stage.emulator.release('refused')
    const isTold = () => stage.gateway.output.includes('the end of a reply was not stored')
    await until(isTold, 'the run is stopped')
    expect(await talk.snapshot(alice, id)).toMatchObject({ status: 'RUNNING' })

    await limitFiles(stage, 'unlimited')
    const ended = async () => (await talk.snapshot(alice, id))?.status === 'FAILED'
    await until(ended, 'the end is stored')
    await until(async () => (await status('/health/ready')) === 200, 'it is ready again')
    const resumed = await follow(events.at(-1)?.cursor)
    expect((await resumed.take()).at(-1)).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await talk.say(bob, 'as ever')).toMatchObject({ text: 'You said: as ever' })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])

    expect(await stage.gateway.kill('SIGTERM')).toBe(0)
    using db = new DatabaseSync(stage.storeFile)
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  })
})
