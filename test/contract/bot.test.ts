import { createBotStrategy } from '../../src/strategy/bot.ts'
import { botSettings } from '../kit/fakes/strategy-options.ts'
import type { StrategyEntry } from './strategy-system.ts'
import { strategyContract } from './strategy.ts'

const bot = {
  runPath: '/v3/chat',
  open: (parts) => createBotStrategy({ ...parts, recoverMs: 600_000, bot: botSettings() }),
  cancels: true,
  provesEnds: true,
  tellsThoughts: true,
  isStoredUnread: true,
  isFoundByReplyId: true,
} satisfies Partial<StrategyEntry>

strategyContract('a Bot', {
  ...bot,
  platform: 'cloud',
  actionRequest: '/tool lookup',
  withoutConversation: 'refused',
  failureCodes: { '/fail': '4013', '/error': '4013' },
})
// A Studio's Bot asks in words, and completes.
strategyContract('a Bot of a Studio', {
  ...bot,
  platform: 'studio',
  actionRequest: undefined,
  withoutConversation: 'goes on in a new one',
  failureCodes: { '/fail': '103100001', '/error': '103200002' },
})
