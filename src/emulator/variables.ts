import { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import type { Answer, Context, OwnedCall } from './context.ts'
import { connectorIdSchema, optionalIdSchema, parseRequest } from './enter-message.ts'
import { ApiError } from './errors.ts'
import { unixSeconds } from './ids.ts'
import { variableKeyOf } from './leaks.ts'
import type { Principal } from './world.ts'

/** Whose variables: token owner, user, channel, and app or Bot (coze-api.md §3). */
export interface VariableKey {
  readonly owner: Principal
  readonly userId: string
  readonly connectorId: string
  readonly targetId: string
}

interface Variable {
  readonly value: string
  readonly createdAt: number
  readonly updatedAt: number
}

const maxUsers = 20_000

export interface Variables {
  of(key: VariableKey): ReadonlyMap<string, Variable>
  set(key: VariableKey, name: string, value: string): void
}

export function createVariables(clock: Clock): Variables {
  const users = new Map<string, Map<string, Variable>>()
  const textOf = ({ owner, userId, connectorId, targetId }: VariableKey) =>
    JSON.stringify([owner.key, userId, connectorId, targetId])
  return {
    of: (key) => users.get(textOf(key)) ?? new Map<string, Variable>(),
    set(key, name, value) {
      const text = textOf(key)
      const own = users.get(text) ?? new Map<string, Variable>()
      const now = unixSeconds(clock)
      own.set(name, { value, createdAt: own.get(name)?.createdAt ?? now, updatedAt: now })
      users.set(text, own)
      const [oldest] = users.keys()
      if (users.size > maxUsers && oldest !== undefined) users.delete(oldest)
    },
  }
}

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
export function listVariables(call: OwnedCall, { variables, settings }: Context): Answer {
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
export function setVariables(call: OwnedCall, { variables, settings }: Context): Answer {
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
