import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { DocumentNode, GraphQLSchema } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { Limits } from '../config/limits.ts'
import { GatewayError } from '../errors.ts'
import { fieldCosts } from '../graphql/cost.ts'
import { withCode } from '../graphql/errors.ts'
import { checkDocument, checkNesting } from './limits.ts'
import type { DocumentLimits } from './limits.ts'

const maxValidationErrors = 20
const maxCachedDocuments = 256
/** UTF-16 code units of a document: a longer one is not worth an attacker's while. */
const maxCachedLength = 4_096

export interface DocumentOptions {
  readonly limits: DocumentLimits & Pick<Limits, 'maxTokens'>
  /** Whether clients may ask for the schema. Default true. */
  readonly introspection?: boolean
}

/** A document that keeps to the limits. */
export interface ParsedDocument {
  readonly document: DocumentNode
  /** Points of executing it. */
  readonly cost: number
  /** Why the schema does not allow it; validated when first asked for. */
  readonly errors: readonly GraphQLError[]
}

export interface Documents {
  /**
   * A document that was asked for a moment ago is neither parsed nor validated again.
   * @throws {@link BadRequestError} for a document over the limits, `GraphQLError` for what is none
   */
  parse(source: string): ParsedDocument
}

/** Parses, prices and validates the documents of requests. */
export function createDocuments(
  schema: GraphQLSchema,
  { limits, introspection = true }: DocumentOptions,
): Documents {
  const costOfFields = fieldCosts(schema)
  const rules = introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule]
  const known = new LRUCache<string, ParsedDocument | GraphQLError | GatewayError>({
    max: maxCachedDocuments,
  })

  return {
    parse(source) {
      const found = known.get(source) ?? parseDocument(source)
      if (source.length <= maxCachedLength) known.set(source, found)
      if (found instanceof Error) throw found
      return found
    },
  }

  /** Limits come before validation, which a hostile document can make expensive. */
  function parseDocument(source: string): ParsedDocument | GraphQLError | GatewayError {
    try {
      checkNesting(source, limits.maxTokens)
      const document = parse(source, { maxTokens: limits.maxTokens })
      const cost = checkDocument(document, limits, costOfFields)
      let errors: readonly GraphQLError[] | undefined
      return {
        document,
        cost,
        get errors() {
          return (errors ??= validateDocument(document))
        },
      }
    } catch (error) {
      if (error instanceof GatewayError) return error
      if (error instanceof GraphQLError) return withCode(error, 'GRAPHQL_PARSE_FAILED')
      throw error
    }
  }

  function validateDocument(document: DocumentNode): readonly GraphQLError[] {
    const errors = validate(schema, document, rules, { maxErrors: maxValidationErrors })
    return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'))
  }
}
