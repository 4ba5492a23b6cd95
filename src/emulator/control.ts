import { z } from 'zod'
import type { Call, Context } from './dialect.ts'
import { faultOrderSchema } from './faults.ts'
import { parseRequest } from './request.ts'
import { type EmulatorState, isReached } from './state.ts'

/** What a test does to the platform as a whole. */
export interface PlatformActions {
  state(): EmulatorState
  /** Restarts the platform: connections break and running chats are lost. What is stored stays. */
  restart(): void
  /** Removes a conversation, or all, as if it had never been there. */
  vanish(conversationId?: string): void
}

const releaseSchema = z.object({ name: z.string().optional() })
const vanishSchema = z.object({ conversationId: z.string().optional() })
const waitSchema = z.strictObject({
  held: z.string().optional(),
  requests: z.coerce.number().int().optional(),
  path: z.string().optional(),
  chats: z.coerce.number().int().optional(),
  status: z.string().optional(),
})

/**
 * The control routes of an emulator in its own process (docs/emulator.md#control-routes).
 * @returns undefined if there is no such route.
 */
export async function control(
  route: string,
  call: Call,
  context: Context,
  actions: PlatformActions,
  signal: AbortSignal,
): Promise<object | undefined> {
  switch (route) {
    case 'POST /_emulator/faults': {
      const { path, times, faults } = parseRequest(faultOrderSchema, call.body)
      context.faults.repeat(path, times, ...faults)
      return {}
    }
    case 'DELETE /_emulator/faults':
      context.faults.clear()
      return {}
    case 'POST /_emulator/release': {
      const { name } = parseRequest(releaseSchema, call.body ?? {})
      return { released: context.holds.release(name) }
    }
    case 'POST /_emulator/revoke':
      context.tokens.revoke()
      return {}
    case 'POST /_emulator/restart':
      actions.restart()
      return {}
    case 'POST /_emulator/vanish':
      actions.vanish(parseRequest(vanishSchema, call.body ?? {}).conversationId)
      return {}
    case 'GET /_emulator/state':
      return actions.state()
    case 'GET /_emulator/wait': {
      const wanted = parseRequest(waitSchema, Object.fromEntries(call.query))
      await context.changes.until(() => isReached(wanted, actions.state()), signal)
      return {}
    }
    default:
      return undefined
  }
}
