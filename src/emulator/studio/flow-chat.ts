import { z } from 'zod'
import { streamPlatformRun } from '../chat-answer.ts'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { enterMessageSchema, optionalIdSchema, parseRequest } from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { collectFacts } from '../facts.ts'
import { nameKeyOf } from '../leaks.ts'
import { startRun } from '../run.ts'
import type { PlatformConversation } from '../world.ts'
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

/** `POST /v1/workflows/chat`. Nearly every error before the stream is told under one code. */
export async function flowChat(call: OwnedCall, context: Context): Promise<Answer> {
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
  const user = {
    owner: call.principal,
    userId: ext['user_id'] ?? call.principal.creatorId,
    connectorId: conversation.connectorId,
    targetId,
  }
  const executeId = context.ids.next()
  const run = startRun(context, {
    kind: 'workflow',
    conversation,
    owner: call.principal,
    botId: targetId,
    metaData: {},
    carried: {},
    saved: true,
    messages,
    request: call.body,
    executeId,
    debugUrl: `http://studio.example/work_flow?execute_id=${executeId}&space_id=${executeId}&workflow_id=${request.workflow_id}&execute_mode=2`,
    facts: readFacts(request, user, context),
    cards: true,
  })
  return streamPlatformRun(run, call, context)
}

function readFacts(
  { additional_messages: messages, parameters, ext }: Request,
  user: Parameters<typeof collectFacts>[1]['user'],
  context: Context,
) {
  try {
    return collectFacts(context, { messages, parameters, variables: ext, metaData: {}, user })
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

/** By an id: one of the app or Bot that a run made under a name, whoever's it is. Else by a name, which makes one. */
function openConversation(
  request: Request,
  call: OwnedCall,
  context: Context,
): PlatformConversation {
  const { world, settings } = context
  const { app_id: appId, bot_id: botId } = request
  const connectorId = request.connector_id ?? '1024'
  const targetId = targetOf(request)
  if (request.conversation_id !== undefined) {
    const found = world.conversations.get(readId(request.conversation_id))
    if (found === undefined) {
      throw wrapped('panic error: runtime error: invalid memory address or nil pointer dereference')
    }
    const isNamed = found.appId === targetId && found.connectorId === connectorId
    if (botId === undefined && !isNamed) throw wrapped('conversation not found')
    return found
  }
  const name = request.parameters['CONVERSATION_NAME']
  if (typeof name !== 'string') throw wrapped('conversation name is requried')
  const key = nameKeyOf({ targetId, connectorId, owner: call.principal, name }, settings)
  const about = { appId, botId, connectorId, owner: key.owner, name: key.name, metaData: {} }
  return world.findNamed(key) ?? world.addConversation(about, key)
}

function targetOf({ app_id: appId, bot_id: botId }: Request): string {
  return appId ?? botId ?? '0'
}

function wrapped(cause: string): StudioRefusal {
  return refusedBefore(777_777_775, `Workflow operation failure: ${cause}`)
}

/** Before the stream: the head says already that the length is open. */
function refusedBefore(code: number, msg: string): StudioRefusal {
  return new StudioRefusal({ status: 200, body: { code, msg }, isChunked: true })
}
