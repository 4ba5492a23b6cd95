import { lexicographicSortSchema, printSchema } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import './assistant.ts'
import { builder } from './builder.ts'
import './conversation.ts'
import './errors.ts'
import './message.ts'
import './mutations.ts'
import './node.ts'
import './reply-event.ts'
import './reply.ts'
import './viewer.ts'

export const schema: GraphQLSchema = builder.toSchema()

/** The schema as `schema/schema.graphql` holds it. */
export function printGatewaySchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`
}
