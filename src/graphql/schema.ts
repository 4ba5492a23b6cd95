import './schema/assistant-load.ts'
import './schema/assistant.ts'
import './schema/attachment.ts'
import './schema/conversation-mutations.ts'
import './schema/conversation.ts'
import './schema/erase-session.ts'
import './schema/isolation.ts'
import './schema/live-counts.ts'
import './schema/message.ts'
import './schema/node.ts'
import './schema/probe.ts'
import './schema/rating.ts'
import './schema/reply-event.ts'
import './schema/reply-mutations.ts'
import './schema/reply.ts'
import './schema/scalars.ts'
import './schema/send-message.ts'
import './schema/session-export.ts'
import './schema/user-errors.ts'
import './schema/viewer.ts'
import { lexicographicSortSchema, printSchema, type GraphQLSchema } from 'graphql'
import { countFields } from './execution/answer-budget.ts'
import { builder } from './schema/builder.ts'

export const schema: GraphQLSchema = countFields(builder.toSchema())

/** The schema as `schema/schema.graphql` holds it. */
export function printGatewaySchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`
}
