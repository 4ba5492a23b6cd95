import { z } from 'zod'
import { sendRunStream } from '../chat-events.ts'
import { assertIdle, startRun } from '../chat-run.ts'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import {
  checkMetaData,
  connectorIdSchema,
  enterMessageSchema,
  optionalIdSchema,
  parseRequest,
} from '../request.ts'
import { conversationNameKey } from '../storage/ownership.ts'
import type { PlatformConversation } from '../storage/records.ts'
import { findOwned } from './conversations.ts'

const requestSchema = z.object({
  workflow_id: z.string().min(1),
  additional_messages: z.array(enterMessageSchema).min(1).max(50),
  parameters: z.record(z.string(), z.unknown()).optional(),
  app_id: optionalIdSchema,
  bot_id: optionalIdSchema,
  conversation_id: optionalIdSchema,
  ext: z.record(z.string(), z.string()).optional(),
  connector_id: connectorIdSchema,
})

type Request = z.output<typeof requestSchema>

/** `POST /v1/workflows/chat`: always a stream (docs/coze-platform.md#workflow-chat). */
export async function workflowChat(call: AuthorizedCall, context: Context): Promise<HandlerResult> {
  const request = parseRequest(requestSchema, call.body)
  if ((request.app_id === undefined) === (request.bot_id === undefined)) {
    throw new ApiError(4000, 'Request parameter error: exactly one of app_id and bot_id')
  }
  if (request.additional_messages.at(-1)?.role !== 'user') {
    throw new ApiError(4000, 'Request parameter error: the last message must be of role user')
  }
  for (const message of request.additional_messages) checkMetaData(message.meta_data ?? {})
  assertRunnable(request, context)

  const conversation = openConversation(request, call, context)
  if (context.settings.switches.busyGuardsWorkflow) assertIdle(context, conversation)
  const executeId = context.ids.next()
  const run = startRun(
    context,
    conversation,
    {
      messages: request.additional_messages,
      parameters: request.parameters ?? {},
      variables: request.ext ?? {},
      user: {
        owner: call.principal,
        userId: request.ext?.['user_id'] ?? call.principal.creatorId,
        connectorId: request.connector_id,
        targetId: request.app_id ?? request.bot_id ?? '',
      },
    },
    {
      kind: 'workflow',
      botId: request.bot_id,
      metaData: {},
      messageMetaData: {},
      isSaved: true,
      asksWithCards: true,
      executeId,
      debugUrl: `https://www.coze.cn/work_flow?execute_id=${executeId}&space_id=${executeId}&workflow_id=${request.workflow_id}`,
      request: call.body,
    },
  )
  return sendRunStream(run, call, context)
}

function assertRunnable(request: Request, { settings }: Context): void {
  const workflow = settings.workflows.find(({ workflowId }) => workflowId === request.workflow_id)
  const anywhere = workflow?.appId === undefined && workflow?.botId === undefined
  const fits = request.app_id
    ? workflow?.appId === request.app_id
    : workflow?.botId === request.bot_id
  if (workflow === undefined || !(anywhere || fits)) {
    throw new ApiError(4200, 'Requested resource workflow does not exist.')
  }
  if (!workflow.published) throw new ApiError(4200, 'The workflow is not published.')
  const given = request.parameters ?? {}
  if (workflow.requires.some((name) => given[name] === undefined)) {
    throw new ApiError(
      4000,
      'Invalid request parameters. Please check your input and ensure all required fields are correctly formatted and within allowed ranges.',
    )
  }
}

function openConversation(
  request: Request,
  call: AuthorizedCall,
  context: Context,
): PlatformConversation {
  const { records, settings } = context
  const { app_id: appId, bot_id: botId, connector_id: connectorId } = request
  const owner = call.principal
  const isStatic = settings.leaks.staticConversation && appId !== undefined
  if (request.conversation_id !== undefined && !isStatic) {
    const found = findOwned(request.conversation_id, call, context)
    const botFits = found.botId === undefined || found.botId === botId
    if (found.appId !== appId || found.connectorId !== connectorId || (botId && !botFits)) {
      throw new ApiError(settings.switches.ownerErrorCode, 'conversation not found')
    }
    return found
  }
  const about = { botId, metaData: {} }
  if (appId === undefined) {
    return records.addConversation({ ...about, owner, appId, connectorId, name: 'Default' })
  }

  // Per (app, connector, principal, name); `Default` is the start node's preset (docs/coze-platform.md#conversations-of-an-app).
  const wanted = request.parameters?.['CONVERSATION_NAME'] ?? 'Default'
  const name = parseRequest(z.string().min(1), wanted)
  const key = conversationNameKey({ targetId: appId, connectorId, owner, name }, settings)
  const found = records.findNamed(key)
  if (found !== undefined) return found
  if (name !== 'Default' && settings.switches.unknownConversationName === 'refuse') {
    throw new ApiError(777777775, 'Workflow operation failure: conversation not found')
  }
  return records.addConversation(
    { ...about, appId, connectorId, owner: key.owner, name: key.name },
    key,
  )
}
