import type { BotSettings, WorkflowSettings } from '../../../src/config/sections/target.ts'
import type { Platform } from '../../../src/domain.ts'
import { platformTraits } from '../../../src/strategy/platform-traits.ts'
import { streamTimeouts } from './coze-options.ts'

/** What strategies of either kind are made with, but for what a test is about. */
export const strategyOptions = (platform: Platform = 'cloud') => ({
  traits: platformTraits[platform],
  hasSharedToken: false,
  busyWaitMs: 10_000,
  timeouts: streamTimeouts,
})

/** A Workflow of whose configuration only so much is given. */
export function workflowSettings(given: Partial<WorkflowSettings>): WorkflowSettings {
  return {
    workflowId: 'flow-1',
    conversationKeying: 'auto',
    parameters: {},
    messageParameters: [],
    metadata: {},
    messageMetadata: [],
    sessionParameter: 'SESSION_NAME',
    ...given,
  }
}

/** A Bot of whose configuration only so much is given. */
export function botSettings(given: Partial<BotSettings> = {}): BotSettings {
  return {
    botId: 'bot-1',
    customVariables: {},
    messageVariables: [],
    metadata: {},
    messageMetadata: [],
    attachments: true,
    sessionVariable: 'SESSION_NAME',
    ...given,
  }
}
