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
    Upload: { Input: FileUpload; Output: never }
  }
}>({
  plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, DataloaderPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true },
  scopeAuth: {
    // Otherwise a refused subscription would be started first.
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
      description: 'The rows of this page in order, each with its cursor.',
    },
    nodesOnConnection: { description: 'The rows of this page in order, without their cursors.' },
    nodeFieldOptions: { nullable: false, description: 'The row at this place of the connection.' },
    pageInfoFieldOptions: { description: 'The place of this page in the connection.' },
    cursorFieldOptions: {
      description: 'The opaque cursor of this row, for the arguments `after` and `before`.',
    },
    pageInfoTypeOptions: { description: 'The place of a page in its connection.' },
    hasNextPageFieldOptions: { description: 'Whether more rows follow the last row of this page.' },
    hasPreviousPageFieldOptions: {
      description: 'Whether more rows precede the first row of this page.',
    },
    startCursorFieldOptions: {
      description: 'The cursor of the first row of this page, or null if the page is empty.',
    },
    endCursorFieldOptions: {
      description: 'The cursor of the last row of this page, or null if the page is empty.',
    },
    nodeTypeOptions: { description: 'An object that can be fetched again by its id.' },
    idFieldOptions: {
      description: 'The opaque, globally unique id by which `Query.node` returns this object.',
    },
    firstArgOptions: {
      description:
        'The number of rows to return from the start, from 1 to 100. The default is 20 unless `last` is given.',
    },
    lastArgOptions: { description: 'The number of rows to return from the end, from 1 to 100.' },
    afterArgOptions: { description: 'The cursor after which rows are returned.' },
    beforeArgOptions: { description: 'The cursor before which rows are returned.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
})

builder.queryType({ description: 'Everything that the caller can read.' })
builder.mutationType({ description: 'Everything that the caller can change.' })
builder.subscriptionType({ description: 'Everything that the caller can follow as it happens.' })
