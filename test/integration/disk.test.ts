import { execFile } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { isTerminal } from '../kit/clients/recorder.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { call, createTalk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

/** A store that can be made to fail, and to go on. */
interface Disk extends AsyncDisposable {
  /** Where the store is; undefined: where the system puts it. */
  readonly storeFile: string | undefined
  fail(system: System): Promise<void>
  mend(system: System): Promise<void>
}

/** How large a file the gateway may write is set by util-linux, so that a write fails in the kernel as on a broken disk. */
function openBrokenDisk(): Disk {
  const limitFiles = async ({ gateway }: System, bytes: string) => {
    await promisify(execFile)('prlimit', ['--pid', String(gateway.pid), `--fsize=${bytes}:`])
  }
  return {
    storeFile: undefined,
    fail: (system) => limitFiles(system, '0'),
    mend: (system) => limitFiles(system, 'unlimited'),
    async [Symbol.asyncDispose]() {},
  }
}

/**
 * A file system of its own, which something else fills to its last byte.
 * @throws where the machine lets nobody mount one: this can be tested nowhere else, so it is not skipped.
 */
async function openFullDisk(): Promise<Disk> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'disk-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const run = promisify(execFile)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', directory])
  stack.defer(async () => void (await run('umount', [directory])))
  const filler = join(directory, 'filler')
  const owned = stack.move()
  return {
    storeFile: join(directory, 'gateway.db'),
    async fail() {
      const piece = Buffer.alloc(65_536)
      await using file = await open(filler, 'a')
      for (let size = piece.length; size > 0;) {
        const written = await file.write(piece, 0, size).catch((error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return undefined
          throw error
        })
        if (written === undefined) size = Math.floor(size / 2)
      }
    },
    mend: () => rm(filler),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe('a disk', () => {
  it.each([
    ['that is broken', openBrokenDisk, 'STORE_UNAVAILABLE'],
    ['that is full', openFullDisk, 'STORE_FULL'],
  ] as const)(
    'F33: %s costs the replies that run, tells no end that is not stored, and is over without a restart',
    async (_what, openDisk, code) => {
      await using disk = await openDisk()
      const { storeFile } = disk
      await using system = await startSystem(
        storeFile === undefined ? {} : { config: { store: `sqlite:${storeFile}` } },
      )
      const talk = createTalk(system)
      const alice = system.person('alice')
      await system.emulator.faults(
        '/v1/workflows/chat',
        { kind: 'pause', afterDeltas: 3, name: 'written' },
        { kind: 'pause', afterDeltas: 6, name: 'refused' },
      )
      const { id } = await talk.send(alice, '/long 12')
      const follow = (after?: string) =>
        talk.recorder.follow(system.client, {
          reader: 'alice',
          as: alice.name,
          token: alice.token,
          replyId: id,
          after,
        })
      const followed = await follow()
      const events = await followed.take((event) => event.__typename === 'ReplyDelta')
      await system.emulator.until({ held: 'written' })

      await disk.fail(system)
      const bob = system.person('bob')
      const refused = await call(
        system.client,
        alice,
        'mutation { sendMessage(input: { text: "now?" }) { __typename } }',
        {},
      )
      expect(JSON.parse(refused.body)).toMatchObject({
        errors: [{ extensions: { code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1000 } }],
      })
      const status = async (path: string) => {
        const { statusCode, body } = await request(new URL(path, system.gateway.url))
        await body.dump()
        return statusCode
      }
      await until(async () => (await status('/health/ready')) === 503, 'a full disk is not ready')
      expect(await status('/health/live')).toBe(200)
      await system.emulator.release('written')
      events.push(...(await followed.take()))
      expect(await followed.stream.ended).toBe('closed')
      expect(followed.stream.frames.at(-1)?.retry).toBeDefined()
      expect(events.filter(isTerminal)).toEqual([])
      await system.emulator.release('refused')
      const isTold = () => system.gateway.output.includes('the end of a reply was not stored')
      await until(isTold, 'the run is stopped')
      expect(await talk.snapshot(alice, id)).toMatchObject({ status: 'RUNNING' })

      await disk.mend(system)
      const ended = async () => (await talk.snapshot(alice, id))?.status === 'FAILED'
      await until(ended, 'the end is stored')
      await until(async () => (await status('/health/ready')) === 200, 'it is ready again')
      const resumed = await follow(events.at(-1)?.cursor)
      expect((await resumed.take()).at(-1)).toMatchObject({ failure: { code } })
      expect(await talk.say(bob, 'as ever')).toMatchObject({ text: 'You said: as ever' })
      await talk.settle()
      expect(check(talk.recorder.history)).toEqual([])

      expect(await system.gateway.kill('SIGTERM')).toBe(0)
      using db = new DatabaseSync(storeFile ?? system.storeFile)
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    },
  )
})
