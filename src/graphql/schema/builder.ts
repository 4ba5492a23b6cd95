import SchemaBuilder from '@pothos/core'
import DataloaderPlugin from '@pothos/plugin-dataloader'
import ErrorsPlugin from '@pothos/plugin-errors'
import RelayPlugin from '@pothos/plugin-relay'
import ScopeAuthPlugin from '@pothos/plugin-scope-auth'
import type { FileUpload, JsonValue } from '../../domain.ts'
import { ForbiddenError } from '../../errors.ts'
import type { GraphContext } from '../context.ts'
import { encodeGlobal } from '../global-id.ts'

export const builder = new SchemaBuilder<{
  Context: GraphContext
  AuthScopes: { operator: boolean }
  DefaultFieldNullability: false
  DefaultEdgesNullability: { list: false; items: false }
  Scalars: {
    ID: { Input: string; Output: string }
    DateTime: { Input: never; Output: number }
    JSON: { Input: Exclude<JsonValue, null>; Output: JsonValue }
    File: { Input: FileUpload; Output: never }
  }
}>({
  plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, DataloaderPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true },
  scopeAuth: {
    // Else a subscription that is refused would have been begun.
    authorizeOnSubscribe: true,
    authScopes: ({ isOperator }) => ({ operator: isOperator }),
    unauthorizedError: (_parent, { caller, operatorScope }) =>
      new ForbiddenError('This is for operators only.', {
        refusal: { issuer: caller.issuer, claim: 'scopes', expected: operatorScope },
      }),
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (type, id) => encodeGlobal(type, String(id)),
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      description: 'The rows, in order.',
    },
    nodeFieldOptions: { nullable: false, description: 'The row itself.' },
    pageInfoFieldOptions: { description: 'Where this page lies.' },
    cursorFieldOptions: { description: 'The opaque place of this row, for `after` and `before`.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its connection.' },
    hasNextPageFieldOptions: { description: 'Whether rows follow the last one.' },
    hasPreviousPageFieldOptions: { description: 'Whether rows precede the first one.' },
    startCursorFieldOptions: { description: 'The place of the first row.' },
    endCursorFieldOptions: { description: 'The place of the last row.' },
    nodeTypeOptions: { description: 'Whatever can be fetched again by its id.' },
    idFieldOptions: { description: 'The opaque id, useless in any other session.' },
    firstArgOptions: {
      description: 'Rows wanted from the start, 1 to 100; 20 if neither is given.',
    },
    lastArgOptions: { description: 'Rows wanted from the end, 1 to 100.' },
    afterArgOptions: { description: 'Only rows after this place.' },
    beforeArgOptions: { description: 'Only rows before this place.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
})

builder.queryType({ description: 'What the caller may read.' })
builder.mutationType({ description: 'What the caller may do.' })
builder.subscriptionType({ description: 'What the caller may follow.' })
