import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway } from '../kit/process/gateway.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { startSystem } from '../kit/process/system.ts'

describe('P10: a gateway that demands durability', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres(['fsync=off'])
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('serves on a file, and says in its log and its readiness what a message survives', async () => {
    await using system = await startSystem({ config: { requireDurability: 'disk' } })
    const response = await fetch(`${system.gateway.url}/health/ready`)
    expect(await response.json()).toEqual({ status: 'ready', durability: 'disk' })
    const lines = system.gateway.output.split('\n').filter((line) => line.includes('survives'))
    expect(lines).toEqual([expect.stringContaining('"survives":"disk"')])
  })

  it('does not start on a server that does not sync, and names the setting', async () => {
    await using system = await startSystem()
    const { configFile } = system.gateway
    const config = {
      ...system.config,
      store: await server.newDatabase(),
      requireDurability: 'disk',
    }
    await expect(startGateway(`${configFile}.postgres`, config)).rejects.toThrow(
      /ended with 1:[^]*"requireDurability" demands .*\(disk\).* fsync is off/,
    )
  })
})
