import { readFileSync } from 'node:fs'
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql'
import { describe, expect, it } from 'vitest'
import { createPrometheusMetrics } from '../../src/observe/prometheus.ts'
import { readMarkdownFiles, root } from './markdown.ts'

const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** Names in the prose of the documents, each with the documents that have it. */
const names = new Map<string, Set<string>>()
for (const { path, lines } of readMarkdownFiles()) {
  for (const [, name = ''] of lines.join('\n').matchAll(/`([\w.*]+)`/g))
    names.set(name, (names.get(name) ?? new Set()).add(path))
}
const matching = (pattern: RegExp) => [...names.keys()].filter((name) => pattern.test(name))

const schema = buildSchema(read('schema/schema.graphql'))
function fieldsOf(typeName: string): readonly string[] | undefined {
  const type = schema.getType(typeName === 'viewer' ? 'Viewer' : typeName)
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type))
    return Object.keys(type.getFields())
  return isEnumType(type) ? type.getValues().map(({ name }) => name) : undefined
}

describe('a name in the documents', () => {
  it.each(
    matching(/^([A-Z]\w*|viewer)\.\w+$/).filter((name) => fieldsOf(name.split('.')[0] ?? '')),
  )('%s is one of the schema', (name) => {
    const [typeName = '', field] = name.split('.')
    expect(fieldsOf(typeName)).toContain(field)
  })

  const settings = [...read('docs/configuration.md').matchAll(/^\| `([\w.[\]]+)` \|/gm)].map(
    ([, path = '']) => `.${path.replaceAll('[]', '')}.`,
  )
  const groups = new Set(settings.flatMap((path) => path.split('.').slice(1, -2)))
  it.each(matching(/^[a-z]\w*(\.\w+)+$/).filter((name) => groups.has(name.split('.')[0] ?? '')))(
    '%s is a setting',
    (name) => {
      expect(settings.filter((path) => path.includes(`.${name}.`))).not.toEqual([])
    },
  )

  it.each(matching(/^coze_gateway_[a-z_]+$/))('%s is a meter', async (name) => {
    expect(await createPrometheusMetrics().text()).toContain(`# TYPE ${name} `)
  })
})
