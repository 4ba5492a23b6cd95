import { z } from 'zod'
import type { Answer, Context, OwnedCall } from '../context.ts'
import { connectorIdSchema, optionalIdSchema, parseRequest } from '../enter-message.ts'
import { ApiError } from '../call-errors.ts'
import { variableKeyOf } from '../leaks.ts'
import type { VariableKey } from '../variables.ts'

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
export function listCloudVariables(call: OwnedCall, { variables, settings }: Context): Answer {
  const request = parseRequest(listSchema, Object.fromEntries(call.query))
  const wanted = request.keywords ? request.keywords.split(',') : undefined
  const items = [...variables.of(variableKeyOf(keyOf(request, call), settings))]
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
export function setCloudVariables(call: OwnedCall, { variables, settings }: Context): Answer {
  const request = parseRequest(setSchema, call.body)
  const key = variableKeyOf(keyOf(request, call), settings)
  for (const { keyword, value } of request.data) variables.set(key, keyword, value)
  return {}
}

function keyOf(request: z.output<typeof ownerSchema>, { principal }: OwnedCall): VariableKey {
  const targetId = request.app_id ?? request.bot_id
  if (targetId === undefined) throw new ApiError(4000, 'Request parameter error: no app or bot')
  const { connector_uid: userId, connector_id: connectorId } = request
  return { owner: principal, userId, connectorId, targetId }
}
