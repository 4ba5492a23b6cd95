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

const releaseSchema = z.strictObject({ name: z.string().optional() })
const vanishSchema = z.strictObject({ conversationId: z.string().optional() })
const waitSchema = z.strictObject({
  held: z.string().optional(),
  requests: z.coerce.number().int().optional(),
  path: z.string().optional(),
  chats: z.coerce.number().int().optional(),
  status: z.string().optional(),
})

/** The control routes of an emulator in its own process (docs/emulator.md#control-routes). */
export const controlRoutes: Readonly<Record<string, ControlHandler>> = {
  'POST /_emulator/faults'({ body }, { faults }) {
    const order = parseRequest(faultOrderSchema, body)
    faults.repeat(order.path, order.times, ...order.faults)
    return {}
  },
  'DELETE /_emulator/faults'(_call, { faults }) {
    faults.clear()
    return {}
  },
  'POST /_emulator/release'({ body }, { holds }) {
    return { released: holds.release(parseRequest(releaseSchema, body ?? {}).name) }
  },
  async 'GET /_emulator/wait'({ query }, { changes }, actions, signal) {
    const wanted = parseRequest(waitSchema, Object.fromEntries(query))
    await changes.until(() => isReached(wanted, actions.state()), signal)
    return {}
  },
  'GET /_emulator/state': (_call, _context, actions) => actions.state(),
  'POST /_emulator/revoke'(_call, { tokens }) {
    tokens.revoke()
    return {}
  },
  'POST /_emulator/restart'(_call, _context, actions) {
    actions.restart()
    return {}
  },
  'POST /_emulator/vanish'({ body }, _context, actions) {
    actions.vanish(parseRequest(vanishSchema, body ?? {}).conversationId)
    return {}
  },
}

type ControlHandler = (
  call: Call,
  context: Context,
  actions: PlatformActions,
  signal: AbortSignal,
) => object | Promise<object>
