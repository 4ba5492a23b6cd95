import { isObjectType, type GraphQLSchema } from 'graphql'

/**
 * The option of an expensive field, which writes, calls the upstream or reads much. It is in points of `limits.maxCost`. Any
 * other field costs 1.
 */
export function costs(points: number): { readonly extensions: { readonly cost: number } } {
  return { extensions: { cost: points } }
}

/**
 * The cost of fields by name, since documents are priced before they are validated. If two fields share a name, the higher
 * cost counts.
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
