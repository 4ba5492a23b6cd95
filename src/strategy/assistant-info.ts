import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { AssistantInfo } from '../domain.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'

/** What callers may know of an assistant: what its messages may carry, whichever way it is driven. */
export function infoOf(assistant: AssistantSettings): AssistantInfo {
  const { id, name } = assistant
  switch (assistant.strategy) {
    case 'workflow':
      return { id, name, ...workflowTakes(assistant.workflow) }
    case 'bot':
      return { id, name, ...botTakes(assistant.bot) }
    case 'auto': {
      const workflow = workflowTakes(assistant.workflow)
      const bot = botTakes(assistant.fallback)
      const both = (some: readonly string[], others: readonly string[]) =>
        some.filter((one) => others.includes(one))
      return {
        id,
        name,
        messageParameters: both(workflow.messageParameters, bot.messageParameters),
        messageMetadata: both(workflow.messageMetadata, bot.messageMetadata),
        takesAttachments: workflow.takesAttachments && bot.takesAttachments,
      }
    }
  }
}

export function workflowTakesFiles({ attachmentParameter }: WorkflowSettings): boolean {
  return attachmentParameter !== undefined
}

export function botTakesFiles({ attachments }: BotSettings): boolean {
  return attachments
}

type Takes = Omit<AssistantInfo, 'id' | 'name'>

function workflowTakes(workflow: WorkflowSettings): Takes {
  const { messageParameters, messageMetadata } = workflow
  return { messageParameters, messageMetadata, takesAttachments: workflowTakesFiles(workflow) }
}

function botTakes(bot: BotSettings): Takes {
  const { messageVariables: messageParameters, messageMetadata } = bot
  return { messageParameters, messageMetadata, takesAttachments: botTakesFiles(bot) }
}
