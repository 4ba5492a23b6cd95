import type { MessageExtras } from '../domain.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'
import { conversationParameter, keptParameters, reservedMetadata } from '../domain/keying.ts'
import type { RunKeys } from './keys.ts'
import type { StartRequest } from './strategy.ts'

/**
 * The start parameters of one message: configured ones, over them the message's, over all of them ours.
 *
 * @throws {TypeError} for a message that would set one of ours, or has files that nothing receives
 */
export function startParameters(
  workflow: WorkflowSettings,
  { extras, attachments, imageUrls, upstream }: StartRequest,
  keys: RunKeys,
): Readonly<Record<string, unknown>> {
  const { sessionParameter, attachmentParameter } = workflow
  refuseNames(extras.parameters, keptParameters(workflow))
  const hasFiles = attachments.length > 0 || imageUrls.length > 0
  if (hasFiles && attachmentParameter === undefined) {
    throw new TypeError('nothing receives the files of a message: "attachmentParameter" is missing')
  }
  return {
    ...workflow.parameters,
    ...extras.parameters,
    ...(attachmentParameter !== undefined &&
      hasFiles && {
        // A list of files is a list of texts: JSON that names an upload, or a URL (the platform's "workflow_chat" page,
        // `parameters`).
        [attachmentParameter]: [
          ...attachments.map(({ upstreamId }) => JSON.stringify({ file_id: upstreamId })),
          ...imageUrls,
        ],
      }),
    [sessionParameter]: keys.sessionName,
    ...(upstream.type === 'named' && { [conversationParameter]: keys.runName }),
  }
}

/**
 * The custom variables of one message, as {@link startParameters}. They are texts: what is none is sent as JSON.
 *
 * @throws {TypeError} for a message that would set ours
 */
export function customVariables(
  bot: BotSettings,
  { extras }: StartRequest,
  keys: RunKeys,
): Readonly<Record<string, string>> {
  const { sessionVariable } = bot
  refuseNames(extras.parameters, new Set([sessionVariable]))
  const given = Object.entries(extras.parameters).map(([name, value]): [string, string] => {
    return [name, typeof value === 'string' ? value : JSON.stringify(value)]
  })
  return {
    ...bot.customVariables,
    ...Object.fromEntries(given),
    [sessionVariable]: keys.sessionName,
  }
}

/**
 * The `meta_data` of one message: configured, the message's own, and what tells our run from others.
 *
 * @throws {TypeError} for a message that would set ours
 */
export function messageMetaData(
  configured: Readonly<Record<string, string>> | undefined,
  { metadata }: MessageExtras,
  keys: RunKeys,
): Readonly<Record<string, string>> {
  refuseNames(metadata, reservedMetadata)
  return { ...configured, ...metadata, ...keys.metaData }
}

function refuseNames(given: Readonly<Record<string, unknown>>, kept: ReadonlySet<string>): void {
  const taken = Object.keys(given).find((name) => kept.has(name))
  if (taken !== undefined) throw new TypeError(`a message may not set "${taken}"`)
}
