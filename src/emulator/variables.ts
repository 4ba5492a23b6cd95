import type { Clock } from '../lib/clock.ts'
import { unixSeconds } from './ids.ts'
import type { Principal } from './world.ts'

/** Whose variables: token owner, user, channel, and app or Bot (docs/coze-platform.md#session_name). */
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
