import {
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
} from 'graphql'

const generated = '// Generated from the schema by `npm run codegen`.'

/** What caches of clients have to know of the schema, by the names of files beside it. */
export function clientCaches(schema: GraphQLSchema): Readonly<Record<string, string>> {
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'))
  const possibleTypes = Object.fromEntries(
    types.filter(isAbstractType).map((type) => [
      type.name,
      schema
        .getPossibleTypes(type)
        .map(({ name }) => name)
        .sort(),
    ]),
  )
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
  const objects = types.filter(isObjectType).filter((type) => !roots.includes(type))
  // There is one Viewer for each cache: that of its user.
  const values = objects.filter((type) => !isNode(type) && type.name !== 'Viewer')
  const connections = [...objects, ...roots.filter((type) => type != null)].flatMap((type) => {
    const fields = Object.values(type.getFields()).filter(({ type: of }) =>
      /Connection!?$/.test(String(of)),
    )
    return fields.length === 0 ? [] : [[type.name, fields.map(({ name }) => name)] as const]
  })
  const policies = [
    `  Viewer: { keyFields: [] },`,
    ...connections.map(([type, fields]) => {
      const paged = fields.map((name) => `${name}: relayStylePagination()`).join(', ')
      return `  ${type}: { fields: { ${paged} } },`
    }),
    ...values.map(({ name }) => `  ${name}: { keyFields: false },`),
  ]
  const resolvers = connections.map(([type, fields]) => {
    const paged = fields.map((name) => `${name}: relayPagination()`).join(', ')
    return `  ${type}: { ${paged} },`
  })
  return {
    'possible-types.json': `${JSON.stringify(possibleTypes, null, 2)}\n`,
    'type-policies.ts': `${generated}
import type { TypePolicies } from '@apollo/client'
import { relayStylePagination } from '@apollo/client/utilities'

/** For Apollo Client: \`new InMemoryCache({ possibleTypes, typePolicies })\`. */
export const typePolicies: TypePolicies = {
${policies.join('\n')}
}
`,
    'graphcache.ts': `${generated}
import { relayPagination } from '@urql/exchange-graphcache/extras'

const value = () => null

/** For urql's graphcache: \`cacheExchange({ keys, resolvers })\`. */
export const keys = {
  Viewer: () => 'viewer',
${values.map(({ name }) => `  ${name}: value,`).join('\n')}
}

export const resolvers = {
${resolvers.join('\n')}
}
`,
  }
}

function isNode(type: GraphQLObjectType): boolean {
  return type.getInterfaces().some((one) => isInterfaceType(one) && one.name === 'Node')
}
