import type { ToolCall } from '../domain.ts'
import { CozeError, type CozeErrorDetails } from './errors.ts'
import { findObject, findObjects, findString, type JsonObject, maxIdLength } from './json.ts'
import { isJsonObject } from '../lib/json-object.ts'

/**
 * What a chat asks its client to do (docs/coze-platform.md#bot-chat). A chat that waits for nothing may carry the field all the same,
 * empty.
 *
 * @throws CozeError `protocol` for a call that cannot be answered, since it lacks a usable id
 */
export function decodeToolCalls(
  chat: JsonObject,
  context: Pick<CozeErrorDetails, 'logId' | 'accepted'>,
): readonly ToolCall[] {
  const action = findObject(chat, 'required_action') ?? {}
  const wanted = findObject(action, 'submit_tool_outputs') ?? {}
  return findObjects(wanted, 'tool_calls').map((call) => {
    const id = findString(call, 'id')
    if (id === undefined || id.length > maxIdLength)
      throw new CozeError('protocol', 'a tool call lacks a usable id', context)
    const called = findObject(call, 'function') ?? {}
    const name = findString(called, 'name')
    // A question to be answered comes without a function.
    return call['type'] === 'reply_message' || name === undefined
      ? { id, kind: 'QUESTION', name: null, arguments: null }
      : { id, kind: 'FUNCTION', name, arguments: argumentsOf(called) }
  })
}

function argumentsOf(called: JsonObject): string {
  const given = called['arguments']
  return isJsonObject(given) ? JSON.stringify(given) : (findString(called, 'arguments') ?? '{}')
}
