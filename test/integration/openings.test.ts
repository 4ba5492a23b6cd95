import { describe, expect, it } from 'vitest'
import { startSystem } from '../kit/process/system.ts'

const opening = { greeting: 'Good day, {{user_name}}.', suggestedQuestions: ['Who are you?'] }
const query = '{ assistants { name greeting suggestedOpenings } }'

describe("G14: a Bot's greeting and suggested openings", () => {
  it.each(['cloud', 'studio'] as const)('are those of the Bot on %s', async (dialect) => {
    await using system = await startSystem({
      dialect,
      emulator: { bots: [{ botId: '7003', ...opening }] },
    })
    const token = system.tokenFor('alice', 600)
    const answer = await system.client.call({ token, query })
    expect(JSON.parse(answer.body)).toEqual({
      data: {
        assistants: [
          { name: 'Flow', greeting: null, suggestedOpenings: [] },
          {
            name: 'Bot',
            greeting: opening.greeting,
            suggestedOpenings: opening.suggestedQuestions,
          },
        ],
      },
    })
  })

  it('are none where the platform refuses the call, and messages are answered all the same', async () => {
    await using system = await startSystem({})
    await system.emulator.faults('/v1/bots/:bot_id', { kind: 'status', status: 404 })
    const token = system.tokenFor('alice', 600)
    const answer = await system.client.call({ token, query })
    expect(answer.body).toContain('{"name":"Bot","greeting":null,"suggestedOpenings":[]}')
  })
})
