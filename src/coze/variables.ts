import type { CozeClient, CozeTarget } from './client.ts'
import type { CozeAnswer } from './envelope.ts'
import { CozeError } from './errors.ts'
import { findObject, findObjects, findString } from './json.ts'

/** Names the variables of one user with one app or Bot (docs/coze-platform.md#conversations-messages-files). */
export interface VariableOwner {
  readonly owner: { readonly appId: string } | { readonly botId: string }
  /** The user, as runs name it: `user_id`, `ext.user_id`. */
  readonly userId: string
  readonly connectorId?: string | undefined
}

export interface Variable {
  readonly name: string
  readonly value: string
}

export async function listVariables(
  client: CozeClient,
  target: CozeTarget,
  owner: VariableOwner,
  signal: AbortSignal,
): Promise<readonly Variable[]> {
  const path = '/v1/variables'
  const query = ownerFields(owner)
  const call = 'list-variables'
  const read = readVariables
  return await client.request({ call, target, method: 'GET', path, query, read }, signal)
}

function readVariables({ body, logId }: CozeAnswer): readonly Variable[] {
  return findObjects(findObject(body, 'data') ?? {}, 'items').map((item) => {
    const name = findString(item, 'keyword')
    if (name === undefined) {
      throw new CozeError('protocol', 'a variable has no name', { accepted: 'yes', logId })
    }
    return { name, value: findString(item, 'value') ?? '' }
  })
}

/** Only variables that the app or Bot declares; the platform's own are refused. */
export async function setVariables(
  client: CozeClient,
  target: CozeTarget,
  owner: VariableOwner,
  variables: readonly Variable[],
  signal: AbortSignal,
): Promise<void> {
  const data = variables.map(({ name, value }) => ({ keyword: name, value }))
  const body = { ...ownerFields(owner), data }
  const call = 'set-variables'
  const path = '/v1/variables'
  await client.request({ call, target, method: 'PUT', path, body, read: () => undefined }, signal)
}

function ownerFields({ owner, userId, connectorId }: VariableOwner) {
  return {
    ...('appId' in owner ? { app_id: owner.appId } : { bot_id: owner.botId }),
    connector_uid: userId,
    connector_id: connectorId,
  }
}
