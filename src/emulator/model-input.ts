import { z } from 'zod'
import { ApiError } from './errors.ts'
import type { ModelInput } from './model/answers.ts'
import type { Settings } from './options.ts'
import { filesOf, imagesOf, parseWithoutNulls, type SentMessage } from './request.ts'
import type { Files } from './storage/files.ts'
import { memoryKey, sharedKey, variableKey, type VariableKey } from './storage/ownership.ts'
import type { MetaData } from './storage/records.ts'
import type { Variables } from './storage/variables.ts'

/** What a request says beside its text. */
export interface RequestData {
  readonly messages: readonly SentMessage[]
  readonly parameters: Readonly<Record<string, unknown>>
  /** `custom_variables` of a Bot, `ext` of a Workflow. */
  readonly variables: Readonly<Record<string, string>>
  /** Who asks. */
  readonly user: VariableKey
}

/**
 * Looks up what the model sees beside the text.
 * @throws {ApiError} 4000 for a file that is not there.
 */
export function collectModelInput(
  {
    files,
    variables,
    memory,
    nodeMemory,
    settings,
  }: {
    readonly files: Files
    readonly variables: Variables
    readonly memory: Variables
    readonly nodeMemory: Variables
    readonly settings: Settings
  },
  { messages, parameters, user, ...request }: RequestData,
  metaData: MetaData,
): ModelInput {
  const storedVariables = valuesOf(variables, variableKey(user, settings))
  const ownMemory = memoryKey(user, settings)
  const { remembers } = settings
  const ids = [...messages.flatMap(filesOf), ...Object.values(parameters).flatMap(filesInParameter)]
  const uploads = ids.map((id) => {
    const file = files.find(id, user.owner)
    if (file === undefined) throw new ApiError(4000, 'Request parameter error: no such file')
    return `${file.name} (${file.bytes} bytes)`
  })
  const images = [
    ...messages.flatMap(imagesOf),
    ...Object.values(parameters).flatMap(imagesInParameter),
  ]
  return {
    model: settings.model,
    files: [...uploads, ...images],
    parameters,
    variables: request.variables,
    metaData: { ...metaData, ...messages.at(-1)?.meta_data },
    storedVariables,
    known: new Map([
      ...knowledgeOf(parameters['SESSION_NAME'] ?? request.variables['SESSION_NAME'], settings),
      ...Object.entries(remembers.longTermMemory ? valuesOf(memory, ownMemory) : {}),
      ...Object.entries(valuesOf(nodeMemory, sharedKey(ownMemory))),
      // An empty variable is no answer.
      ...Object.entries(remembers.variables ? storedVariables : {}).filter(
        ([, text]) => text !== '',
      ),
    ]),
  }
}

function valuesOf(variables: Variables, key: VariableKey): Readonly<Record<string, string>> {
  return Object.fromEntries([...variables.of(key)].map(([name, { value }]) => [name, value]))
}

function knowledgeOf(
  sessionName: unknown,
  { knowledge, leaks }: Settings,
): readonly (readonly [string, string])[] {
  return knowledge
    .filter((row) => leaks.unfilteredKnowledge || row.sessionName === sessionName)
    .map(({ name, value }) => [name.toLowerCase(), value])
}

const fileSchema = z.object({ file_id: z.string() })

/** A start parameter holds files as texts of JSON (docs/coze-platform.md#workflow-chat). */
function filesInParameter(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(filesInParameter)
  if (typeof value !== 'string' || !value.startsWith('{')) return []
  try {
    const parsed = fileSchema.safeParse(parseWithoutNulls(value))
    return parsed.success ? [parsed.data.file_id] : []
  } catch {
    return []
  }
}

/** A list of files may hold addresses as well. A text that is not in a list is no file. */
function imagesInParameter(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((item) => typeof item === 'string' && item.startsWith('https://'))
}
