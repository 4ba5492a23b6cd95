import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTalk, untilStatus } from '../kit/clients/talk.ts'
import { check } from '../kit/history/checker.ts'
import { cli } from '../kit/process/gateway.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { startSystem } from '../kit/process/system.ts'

describe('a gateway that moves from SQLite to PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const run = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [cli, ...args], { timeout: 100_000 }).catch(
      ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => ({
        stdout,
        stderr,
      }),
    )

  it('F32: keeps conversations, keys and cursors, brings what ran to its end, and says the same counts and digests twice', async () => {
    await using system = await startSystem({ timeouts: { recoverMs: 20_000 } })
    const { configFile } = system.gateway
    const talk = createTalk(system)
    const who = system.person('moves')
    const message = { text: 'My colour is teal.', assistantId: 'flow', idempotencyKey: 'first' }
    const first = await talk.send(who, message)
    await talk.ending(who, first.id)
    // A reader that has seen the first words of a reply that is held.
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
    const running = await talk.send(who, { text: '/long 12', assistantId: 'bot' })
    const reader = { reader: 'moving', as: who.name, token: who.token }
    const before = await talk.recorder.follow(system.client, reader)
    const seen = await before.take((event) => event.__typename === 'ReplyDelta')
    const after = seen.at(-1)?.cursor
    await system.emulator.until({ held: 'pause' })

    const transfer = `${system.storeFile}.transfer`
    const exporting = ['export-store', '--config', configFile, '--file', transfer]
    expect((await run(...exporting)).stderr).toContain('in use by another gateway')
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
    await system.emulator.release()

    const exported = await run(...exporting)
    expect(exported.stderr).toBe('')
    expect((await stat(transfer)).mode & 0o077).toBe(0)
    const config = { ...system.config, store: await server.newDatabase() }
    await writeFile(configFile, JSON.stringify(config))
    const importing = ['import-store', '--config', configFile, '--file', transfer]
    const imported = await run(...importing)
    expect(imported).toEqual(exported)
    expect(imported.stdout).toMatch(/^sessions +1 rows {2}[0-9a-f]{64}$/m)
    expect((await run(...importing)).stderr).toContain('the database has sessions already')
    expect(await readFile(transfer, 'utf8')).toContain('My colour is teal.')

    await system.gateway.restart()
    await untilStatus(talk, who, running.id, 'COMPLETED')
    const resumed = await talk.recorder.follow(system.client, { ...reader, after })
    const rest = await resumed.take((event) => event.__typename === 'ReplyCompleted')
    expect(rest.at(-1)).toMatchObject({ replyId: running.id })
    expect((await talk.send(who, message)).id).toBe(first.id)
    const conversationId = first.conversation.id
    expect(await talk.say(who, { text: 'What is my colour?', conversationId })).toMatchObject({
      __typename: 'ReplyCompleted',
      text: expect.stringContaining('teal'),
    })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})
