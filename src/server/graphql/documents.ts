import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { DocumentNode, GraphQLSchema, Source } from 'graphql'
import { createLRUCache } from 'graphql-yoga'
import type { Limits } from '../../config/sections/limits.ts'
import { fieldCosts } from '../../graphql/cost.ts'
import { withCode } from '../../graphql/execution/errors.ts'
import { checkDocument, checkNesting } from './document-limits.ts'
import type { DocumentLimits } from './document-limits.ts'

const maxValidationErrors = 20
const maxCachedDocuments = 256
/** UTF-16 code units of a document. */
const maxCachedLength = 4_096

export interface DocumentOptions {
  readonly limits: DocumentLimits & Pick<Limits, 'maxTokens'>
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean
}

export type Documents = ReturnType<typeof createDocuments>

/** Parses, prices and validates the documents of requests. */
export function createDocuments(schema: GraphQLSchema, { limits, introspection }: DocumentOptions) {
  const costOfFields = fieldCosts(schema)
  const rules = introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule]
  /** Costs of the documents that may be executed. */
  const costs = new WeakMap<DocumentNode, number>()
  /** The errors of the documents that are kept. */
  const checked = new WeakMap<DocumentNode, readonly GraphQLError[]>()

  return {
    parse: parseDocument,
    validate: validateDocument,
    costOf: (document: DocumentNode) => costs.get(document) ?? limits.maxCost,
    caches: {
      documentCache: createCache<DocumentNode>(),
      errorCache: createCache<unknown[]>(),
      // Yoga looks the validation up by the joined names of all rules, which it joins for each request.
      validationCache: false,
    },
  }

  /** Limits are checked before validation, because a hostile document can make validation expensive. */
  function parseDocument(source: string | Source): DocumentNode {
    checkNesting(source, limits.maxTokens)
    let document: DocumentNode
    try {
      document = parse(source, { maxTokens: limits.maxTokens })
    } catch (error) {
      throw error instanceof GraphQLError ? withCode(error, 'GRAPHQL_PARSE_FAILED') : error
    }
    costs.set(document, checkDocument(document, limits, costOfFields))
    return document
  }

  function validateDocument(
    schemaOf: GraphQLSchema,
    document: DocumentNode,
  ): readonly GraphQLError[] {
    const known = checked.get(document)
    if (known) return known
    const errors = validate(schemaOf, document, rules, { maxErrors: maxValidationErrors }).map(
      (error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'),
    )
    checked.set(document, errors)
    return errors
  }
}

/** Validation as Yoga does it, for documents within the limits. */
function createCache<Value extends object>() {
  const cache = createLRUCache<Value>({ max: maxCachedDocuments })
  return {
    get: (source: string) => cache.get(source),
    set(source: string, value: Value) {
      if (source.length <= maxCachedLength) cache.set(source, value)
    },
  }
}
