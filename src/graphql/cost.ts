import { isObjectType, type GraphQLSchema } from 'graphql'

/**
 * The option of a field that costs more than to be looked up: it writes, asks the upstream, or reads much. In points of
 * `limits.maxCost`; any other field costs 1.
 */
export function costs(points: number): { readonly extensions: { readonly cost: number } } {
  return { extensions: { cost: points } }
}

/**
 * The cost of fields, by their names alone, since documents are priced before they are validated. Of two fields of one name
 * the dearer counts.
 */
export function fieldCosts(schema: GraphQLSchema): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue
    for (const { name, extensions } of Object.values(type.getFields())) {
      const cost: unknown = extensions['cost']
      if (typeof cost === 'number') found.set(name, Math.max(cost, found.get(name) ?? 0))
    }
  }
  return found
}
