import { describe, expect, it } from 'vitest'
import { startPooler } from '../kit/process/pooler.ts'
import { startPostgres } from '../kit/process/postgres.ts'

describe('a PostgreSQL server of the test kit', () => {
  it('ends although it is stopped, and whoever needs it then hears what it said last', async () => {
    await using server = await startPostgres()
    await server.newDatabase()
    await server.signal('SIGSTOP')
    await server.crash()
    await expect(server.newDatabase()).rejects.toThrow(
      /does not run any more:\n[^]*ready to accept connections/,
    )
    await server.start()
    await server.newDatabase()
  })

  it('says why it does not start', async () => {
    await expect(startPostgres(['no_such_setting=1'])).rejects.toThrow(
      /PostgreSQL does not start:\n[^]*no_such_setting/,
    )
  })

  it('ends after the pooler that stands before it, whoever is connected', async () => {
    await using server = await startPostgres()
    await using pooler = await startPooler(server)
    expect(pooler.through(await server.newDatabase())).toContain('/gateway_1')
  })
})
