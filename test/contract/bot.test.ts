import { createBotStrategy } from '../../src/strategy/bot.ts'
import { strategyContract } from './strategy.ts'

strategyContract('a Bot', {
  runPath: '/v3/chat',
  open: (parts) => createBotStrategy({ ...parts, bot: { botId: 'bot-1' } }),
  actionRequest: '/tool lookup',
  cancels: true,
  provesEnds: true,
})
