import type { KeyedLayer } from '../domain.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'
import { conversationParameter } from '../domain/keying.ts'

/** What keys each layer of a Workflow's runs by the session, as conversations are obtained at present. */
export function workflowLayers(
  { appId, sessionParameter }: WorkflowSettings,
  keying: WorkflowSettings['conversationKeying'],
  identity: KeyedLayer,
): readonly KeyedLayer[] {
  const created =
    appId === undefined ? 'created for it' : 'created for it under an unguessable name'
  return [
    identity,
    {
      layer: 'conversation',
      keyedBy:
        keying === 'name'
          ? `${conversationParameter}: an unguessable name`
          : `conversation_id: ${created}`,
    },
    { layer: 'variables', keyedBy: 'ext.user_id: the name of the session' },
    { layer: 'knowledge', keyedBy: `parameters.${sessionParameter}: the name of the session` },
  ]
}

/** What keys each layer of a Bot's runs by the session. */
export function botLayers(
  { sessionVariable }: BotSettings,
  identity: KeyedLayer,
): readonly KeyedLayer[] {
  return [
    identity,
    { layer: 'conversation', keyedBy: 'conversation_id: created for it' },
    { layer: 'variables', keyedBy: 'user_id: the name of the session' },
    { layer: 'knowledge', keyedBy: `custom_variables.${sessionVariable}: the name of the session` },
  ]
}

/** Whose identity the upstream sees. */
export function identityLayer(hasSharedToken: boolean): KeyedLayer {
  const keyedBy = hasSharedToken
    ? 'nothing: all sessions share one token'
    : 'access token: minted for the name of the session'
  return { layer: 'identity', keyedBy }
}
