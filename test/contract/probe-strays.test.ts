import { describe, expect, it } from 'vitest'
import type { FaultInput } from '../../src/emulator/faults.ts'
import { probeConfig } from '../../src/compose/probe.ts'
import { openProbed } from '../kit/process/probed.ts'

const forever = new AbortController().signal
const chatPath = { workflow: '/v1/workflows/chat', bot: '/v3/chat' } as const
const listPath = '/v1/conversation/message/list'

/** What a probe finds of conversations while every call to the path goes wrong so. */
async function probed(
  strategy: 'workflow' | 'bot',
  path: '/v1/workflows/chat' | '/v3/chat' | typeof listPath,
  ...faults: readonly FaultInput[]
) {
  await using system = await openProbed(strategy, [])
  system.emulator.faults.repeat(path, 1_000, ...faults)
  const [report] = await probeConfig(system.config, { trials: 1 }, {}, forever)
  return {
    verdict: report?.verdict,
    conversation: report?.findings.find(({ layer }) => layer === 'conversation'),
  }
}

describe.each(['workflow', 'bot'] as const)(
  'a probe of a %s looks through the guard',
  (strategy) => {
    it.each([
      ['an event of another chat is mixed in', { kind: 'foreignChat', afterDeltas: 1 }],
      ['an event of another chat comes before any text', { kind: 'foreignChat', afterDeltas: 0 }],
      ['the conversation changes in mid-stream', { kind: 'foreignConversation', afterDeltas: 1 }],
    ] satisfies readonly (readonly [string, FaultInput])[])(
      'and finds a leak, though no secret is recalled, where %s',
      async (_name, fault) => {
        const { verdict, conversation } = await probed(strategy, chatPath[strategy], fault)
        expect(verdict).toBe('LEAKING')
        expect(conversation).toMatchObject({
          verdict: 'LEAKING',
          reason: expect.stringMatching(
            /^A reply was told what is of another (upstream conversation|chat)/,
          ),
          remedy: expect.any(String),
        })
        expect(conversation?.evidence[0]?.logIds).toEqual([expect.stringMatching(/./)])
      },
    )

    it('and finds a leak where every session is in one conversation', async () => {
      const shared = { kind: 'sharedConversation', conversationId: '7999' } as const
      const { verdict, conversation } = await probed(strategy, chatPath[strategy], shared)
      expect(verdict).toBe('LEAKING')
      expect(conversation?.reason).toBe('Two sessions were given one upstream conversation.')
    })

    it('and finds a leak where a list of messages holds those of another conversation', async () => {
      const { verdict, conversation } = await probed(strategy, listPath, {
        kind: 'foreignConversation',
        afterDeltas: 0,
      })
      expect(verdict).toBe('LEAKING')
      expect(conversation?.reason).toBe(
        'A list of older messages held those of another upstream conversation.',
      )
    })

    it('and stops no probe for a list that the platform refuses', async () => {
      const { verdict } = await probed(strategy, listPath, { kind: 'jsonError', code: 4200 })
      expect(verdict).toBe('ISOLATED')
    })
  },
)
