import type { WorkflowSettings } from '../../src/config/sections/target.ts'
import type { Platform } from '../../src/domain.ts'
import { createWorkflowStrategy } from '../../src/strategy/workflow.ts'
import { workflowSettings } from '../kit/fakes/strategy-options.ts'
import type { StrategyEntry } from './strategy-system.ts'
import { strategyContract } from './strategy.ts'

function entry(workflow: Partial<WorkflowSettings>, platform: Platform = 'cloud'): StrategyEntry {
  const isCloud = platform === 'cloud'
  return {
    platform,
    runPath: '/v1/workflows/chat',
    open: (parts) =>
      createWorkflowStrategy({
        ...parts,
        // What a Studio has not stored by then, it never stores.
        recoverMs: isCloud ? 30_000 : 0,
        workflow: workflowSettings(workflow),
      }),
    actionRequest: '/ask Which one?',
    cancels: false,
    withoutConversation: 'refused',
    provesEnds: false,
    tellsThoughts: isCloud,
    isStoredUnread: isCloud,
    isFoundByReplyId: isCloud,
    failureCodes: isCloud
      ? { '/fail': '4013', '/error': '4013' }
      : { '/fail': '720701013', '/error': '720701013' },
  }
}

strategyContract('a Workflow of an app', entry({ appId: 'coze-app-1' }))
strategyContract(
  'a Workflow of an app, its conversations by name',
  entry({ appId: 'coze-app-1', conversationKeying: 'name' }),
)
strategyContract('a Workflow of a Bot', entry({ workflowId: 'flow-2', botId: 'bot-1' }))
strategyContract('a Workflow of an app whose conversations cannot be created', {
  ...entry({ appId: 'coze-app-1' }),
  switches: {
    createWithAppId: 'refused-4000',
    deadToken: '200-700012006',
    errorStatus: 'by-code',
    doneAfterError: true,
  },
})
strategyContract("a Studio's Workflow of an app", entry({ appId: 'coze-app-1' }, 'studio'))
strategyContract(
  "a Studio's Workflow of an app, its conversations by name",
  entry({ appId: 'coze-app-1', conversationKeying: 'name' }, 'studio'),
)
strategyContract(
  "a Studio's Workflow of a Bot",
  entry({ workflowId: 'flow-2', botId: 'bot-1' }, 'studio'),
)
