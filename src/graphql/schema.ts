import { lexicographicSortSchema, printSchema } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import { countFields } from './answer-budget.ts'
import './assistant.ts'
import './attachment.ts'
import { builder } from './builder.ts'
import './conversation-mutations.ts'
import './conversation.ts'
import './erase-session.ts'
import './errors.ts'
import './export-session.ts'
import './feedback.ts'
import './isolation.ts'
import './message.ts'
import './node.ts'
import './probe.ts'
import './reply-event.ts'
import './reply-mutations.ts'
import './reply.ts'
import './scalars.ts'
import './send-message.ts'
import './viewer.ts'

export const schema: GraphQLSchema = countFields(builder.toSchema())

/** The schema as `schema/schema.graphql` holds it. */
export function printGatewaySchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`
}
