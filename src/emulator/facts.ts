import { z } from 'zod'
import type { Context } from './context.ts'
import { type SentMessage, filesOf, imagesOf } from './enter-message.ts'
import { ApiError } from './call-errors.ts'
import { parseWithoutNulls } from './json.ts'
import { memoryKeyOf, nodeKeyOf, variableKeyOf } from './leaks.ts'
import type { Settings } from './options.ts'
import type { VariableKey, Variables } from './variables.ts'
import type { MetaData } from './world.ts'

/** What the model sees beside the text. */
export interface Facts {
  /** Names and sizes of uploads, and addresses of images. */
  readonly files: readonly string[]
  readonly parameters: Readonly<Record<string, unknown>>
  /** `custom_variables` of a Bot, `ext` of a Workflow. */
  readonly variables: Readonly<Record<string, string>>
  readonly metaData: MetaData
  /** The user's stored variables, and whose they are. */
  readonly kept: Readonly<Record<string, string>>
  readonly variableKey: VariableKey
  readonly memoryKey: VariableKey
  /** What the model knows beside the conversation, by the small letters of its name. */
  readonly known: ReadonlyMap<string, string>
  readonly model: Settings['model']
}

/** @throws {ApiError} 4000 for a file that is not there */
export function collectFacts(
  { files, variables, memory, nodes, settings }: Context,
  about: {
    readonly messages: readonly SentMessage[]
    readonly parameters: Readonly<Record<string, unknown>>
    readonly variables: Readonly<Record<string, string>>
    readonly metaData: MetaData
    readonly user: VariableKey
  },
): Facts {
  const { messages, parameters, user } = about
  const variableKey = variableKeyOf(user, settings)
  const memoryKey = memoryKeyOf(user, settings)
  const kept = valuesOf(variables, variableKey)
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
    files: [...uploads, ...images],
    parameters,
    variables: about.variables,
    metaData: { ...about.metaData, ...messages.at(-1)?.meta_data },
    kept,
    variableKey,
    memoryKey,
    known: new Map([
      ...knowledgeOf(parameters['SESSION_NAME'] ?? about.variables['SESSION_NAME'], settings),
      ...Object.entries(remembers.longTermMemory ? valuesOf(memory, memoryKey) : {}),
      ...Object.entries(valuesOf(nodes, nodeKeyOf(memoryKey))),
      // An empty variable is no answer.
      ...Object.entries(remembers.variables ? kept : {}).filter(([, value]) => value !== ''),
    ]),
    model: settings.model,
  }
}

function valuesOf(store: Variables, key: VariableKey): Readonly<Record<string, string>> {
  return Object.fromEntries([...store.of(key)].map(([name, { value }]) => [name, value]))
}

function knowledgeOf(
  sessionName: unknown,
  { knowledge, leaks }: Settings,
): readonly (readonly [string, string])[] {
  return knowledge
    .filter((fact) => leaks.unfilteredKnowledge || fact.sessionName === sessionName)
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

/** A list of files may hold addresses as well; a text that is no list is no file. */
function imagesInParameter(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((item) => typeof item === 'string' && item.startsWith('https://'))
}

/** `name=value` lines in the order of their names. */
export function factLines(values: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(values).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return lines.sort().join('\n') || 'none'
}
