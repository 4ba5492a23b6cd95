import { z } from 'zod'
import type { AuthorizedCall, Context, HandlerResult } from '../dialect.ts'
import { ApiError } from '../errors.ts'
import { connectorIdSchema, optionalIdSchema, parseRequest } from '../request.ts'
import { variableKey, type VariableKey } from '../storage/ownership.ts'

const ownerSchema = z.object({
  connector_uid: z.string().min(1),
  app_id: optionalIdSchema,
  bot_id: optionalIdSchema,
  connector_id: connectorIdSchema,
})

const listSchema = ownerSchema.extend({ keywords: z.string().optional() })

const setSchema = ownerSchema.extend({
  data: z.array(z.object({ keyword: z.string().min(1), value: z.string() })).min(1),
})

/** `GET /v1/variables` */
export function listCloudVariables(
  call: AuthorizedCall,
  { variables, settings }: Context,
): HandlerResult {
  const request = parseRequest(listSchema, Object.fromEntries(call.query))
  const wanted = request.keywords ? request.keywords.split(',') : undefined
  const items = [...variables.of(variableKey(keyOf(request, call), settings))]
    .filter(([keyword]) => wanted?.includes(keyword) ?? true)
    .map(([keyword, { value, createdAt, updatedAt }]) => ({
      keyword,
      value,
      create_time: createdAt,
      update_time: updatedAt,
    }))
  return { data: { items } }
}

/** `PUT /v1/variables` */
export function setCloudVariables(
  call: AuthorizedCall,
  { variables, settings }: Context,
): HandlerResult {
  const request = parseRequest(setSchema, call.body)
  const key = variableKey(keyOf(request, call), settings)
  for (const { keyword, value } of request.data) variables.set(key, keyword, value)
  return {}
}

function keyOf(request: z.output<typeof ownerSchema>, { principal }: AuthorizedCall): VariableKey {
  const targetId = request.app_id ?? request.bot_id
  if (targetId === undefined) throw new ApiError(4000, 'Request parameter error: no app or bot')
  const { connector_uid: userId, connector_id: connectorId } = request
  return { owner: principal, userId, connectorId, targetId }
}
