import { z } from 'zod'
import { sendRunStream } from '../chat-events.ts'
import { type PlatformRun, startRun } from '../chat-run.ts'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import { enterMessageSchema, optionalIdSchema, parseRequest } from '../request.ts'
import { conversationNameKey } from '../storage/ownership.ts'
import type { PlatformConversation } from '../storage/records.ts'
import { missingText, readId, statusText, StudioRefusal } from './refusals.ts'

const requestSchema = z.object({
  workflow_id: z.string().min(1),
  additional_messages: z.array(enterMessageSchema).default([]),
  parameters: z.record(z.string(), z.unknown()).default({}),
  app_id: optionalIdSchema,
  bot_id: optionalIdSchema,
  conversation_id: optionalIdSchema,
  ext: z.record(z.string(), z.string()).default({}),
  connector_id: optionalIdSchema,
})

type Request = z.output<typeof requestSchema>

/** `POST /v1/workflows/chat`. Nearly every error before the stream has one code. */
export async function studioWorkflowChat(
  call: AuthorizedCall,
  context: Context,
): Promise<HandlerResult> {
  const request = parseRequest(requestSchema, call.body)
  const { additional_messages: messages, parameters, ext } = request
  if (messages.length === 0) throw wrapped('additional_messages is requird')
  if (messages.at(-1)?.role !== 'user') {
    throw wrapped('the role of the last day message must be user')
  }
  const workflow = findWorkflow(request, context)
  if (request.app_id !== undefined && request.bot_id !== undefined) {
    throw wrapped('project_id and bot_id cannot be set at the same time')
  }
  if (!workflow.published) {
    throw refusedBefore(
      720_702_011,
      'Workflow not published. The requested operation cannot be performed on an unpublished workflow. Please publish the workflow and try again.',
    )
  }
  const conversation = openConversation(request, call, context)
  const missing = workflow.requires.find((name) => parameters[name] === undefined)
  if (missing !== undefined) throw refusedBefore(720_702_002, missingText(missing))

  const targetId = targetOf(request)
  const executeId = context.ids.next()
  const run = startWorkflowRun(
    context,
    conversation,
    {
      messages,
      parameters,
      variables: ext,
      user: {
        owner: call.principal,
        userId: ext['user_id'] ?? call.principal.creatorId,
        connectorId: conversation.connectorId,
        targetId,
      },
    },
    {
      kind: 'workflow',
      botId: targetId,
      metaData: {},
      messageMetaData: {},
      isSaved: true,
      asksWithCards: true,
      executeId,
      debugUrl: `http://studio.example/work_flow?execute_id=${executeId}&space_id=${executeId}&workflow_id=${request.workflow_id}&execute_mode=2`,
      request: call.body,
    },
  )
  return sendRunStream(run, call, context)
}

function startWorkflowRun(...about: Parameters<typeof startRun>): PlatformRun {
  try {
    return startRun(...about)
  } catch (error) {
    throw error instanceof ApiError ? wrapped(error.message) : error
  }
}

function findWorkflow(request: Request, { settings }: Context) {
  const { workflow_id: id, app_id: appId, bot_id: botId } = request
  const found = settings.workflows.find(({ workflowId }) => workflowId === id)
  if (found === undefined) {
    const msg = `workflow ${id} not found, please check if the workflow exists and not deleted`
    throw refusedBefore(720_702_004, msg)
  }
  const isAnywhere = found.appId === undefined && found.botId === undefined
  if (isAnywhere || (found.appId === appId && found.botId === botId)) return found
  throw wrapped(statusText(106_000_001, 'unauthorized access : no permission'))
}

/**
 * Finds the conversation by its id: one of the app or Bot that a run made under a name, whoever its owner is. Otherwise
 * finds it by its name, or makes it.
 */
function openConversation(
  request: Request,
  call: AuthorizedCall,
  context: Context,
): PlatformConversation {
  const { records, settings } = context
  const { app_id: appId, bot_id: botId } = request
  const connectorId = request.connector_id ?? '1024'
  const targetId = targetOf(request)
  if (request.conversation_id !== undefined) {
    const found = records.conversations.get(readId(request.conversation_id))
    if (found === undefined) {
      throw wrapped('panic error: runtime error: invalid memory address or nil pointer dereference')
    }
    const isNamed = found.appId === targetId && found.connectorId === connectorId
    if (botId === undefined && !isNamed) throw wrapped('conversation not found')
    return found
  }
  const name = request.parameters['CONVERSATION_NAME']
  if (typeof name !== 'string') throw wrapped('conversation name is requried')
  const key = conversationNameKey({ targetId, connectorId, owner: call.principal, name }, settings)
  const about = { appId, botId, connectorId, owner: key.owner, name: key.name, metaData: {} }
  return records.findNamed(key) ?? records.addConversation(about, key)
}

function targetOf({ app_id: appId, bot_id: botId }: Request): string {
  return appId ?? botId ?? '0'
}

function wrapped(cause: string): StudioRefusal {
  return refusedBefore(777_777_775, `Workflow operation failure: ${cause}`)
}

/** A refusal before the stream. Its head leaves the length open already. */
function refusedBefore(code: number, msg: string): StudioRefusal {
  return new StudioRefusal({ status: 200, body: { code, msg }, isChunked: true })
}
