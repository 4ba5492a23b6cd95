import {
  defaultFieldResolver,
  getNamedType,
  GraphQLError,
  isLeafType,
  isObjectType,
  responsePathAsArray,
  type GraphQLResolveInfo,
  type GraphQLSchema,
} from 'graphql'
import { TooLargeError, type GatewayError } from '../../errors.ts'
import type { Turns } from '../../lib/turns.ts'

/** The fields that are resolved without taking turns, which is enough for ordinary results. */
const freeFields = 500
/** Resolving a field takes as long as writing this many bytes. */
const fieldUnits = 64
/** The bytes of a field besides its name and its value: two quotes, a colon and a comma. */
const fieldBytes = 4
const bytesPerPoint = 1_024

export interface AnswerBudgetOptions {
  /** The most bytes of the result. */
  readonly maxBytes: number
  readonly turns: Turns
  /** Counts the bytes that its session holds; `add` throws when they are too many. */
  readonly held: { add(bytes: number): void }
}

/**
 * The cost of one result, counted while it is made: its bytes, and the bytes of the rows that were read for it.
 * The count of bytes is a lower bound, since JSON escapes some characters.
 *
 * When it is exhausted, every field that is still to be resolved fails with its failure, so that nothing more is read or
 * begun. The result is then the failure only.
 */
export class AnswerBudget {
  readonly #options: AnswerBudgetOptions
  #entered = 0
  #resolved = 0
  #bytes = 0
  #read = 0
  #failure: GraphQLError | undefined

  constructor(options: AnswerBudgetOptions) {
    this.#options = options
  }

  /** Fields that were resolved. */
  get fields(): number {
    return this.#resolved
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The reason why there is no result. Undefined: there is one. */
  get failure(): GraphQLError | undefined {
    return this.#failure
  }

  /** The points of its bytes, in addition to those of its fields. */
  get points(): number {
    return Math.floor((this.#bytes + this.#read) / bytesPerPoint)
  }

  /** Called before a field is resolved; a promise: not before it resolves, and `resume`. @throws its failure */
  enter(info: GraphQLResolveInfo): Promise<void> | undefined {
    this.check()
    this.#entered += 1
    this.#spend(String(info.path.key).length + fieldBytes, info)
    const turn = this.#entered > freeFields ? this.#options.turns.take(fieldUnits) : undefined
    if (!turn) this.#resolved += 1
    return turn
  }

  /** Called when a field has waited for its turn. @throws its failure */
  resume(): void {
    this.check()
    this.#resolved += 1
  }

  /** Called with the value of each leaf. @throws its failure */
  answer(value: unknown, info: GraphQLResolveInfo): void {
    this.check()
    this.#spend(sizeOf(value), info)
  }

  /** Counts the result for an event that was made without resolving fields. It may set `failure`. */
  countWhole(bytes: number): void {
    try {
      this.#spend(bytes, undefined)
    } catch (error) {
      if (error !== this.#failure) throw error
    }
  }

  /**
   * Called when rows have been read, with the bytes of their texts; a promise: no more before it resolves.
   * @throws its failure
   */
  read(bytes: number): Promise<void> | undefined {
    this.check()
    this.#read += bytes
    this.#hold(bytes, undefined)
    return this.#options.turns.take(bytes)
  }

  /** @throws its failure */
  check(): void {
    if (this.#failure) throw this.#failure
  }

  #spend(bytes: number, info: GraphQLResolveInfo | undefined): void {
    const { maxBytes } = this.#options
    this.#bytes += bytes
    if (this.#bytes > maxBytes) {
      const operation = info?.operation.operation ?? 'subscription'
      throw this.#fail(answerTooLarge(maxBytes, operation), info)
    }
    this.#hold(bytes, info)
  }

  #hold(bytes: number, info: GraphQLResolveInfo | undefined): void {
    try {
      this.#options.held.add(bytes)
    } catch (error) {
      throw error instanceof Error && 'code' in error ? this.#fail(error, info) : error
    }
  }

  /** One error for all fields: it is located once, however many fields fail with it. */
  #fail(cause: Error, info: GraphQLResolveInfo | undefined): GraphQLError {
    this.#failure = new GraphQLError(cause.message, {
      originalError: cause,
      ...(info && { nodes: info.fieldNodes, path: responsePathAsArray(info.path) }),
    })
    return this.#failure
  }
}

/**
 * The error instead of a result that is too large. A mutation has been carried out all the same, and the message says so.
 */
export function answerTooLarge(maxBytes: number, operation: string): GatewayError {
  const done =
    operation === 'mutation' ? ' The mutations up to the one in "path" are done, or all.' : ''
  return new TooLargeError(
    `The response would have more than ${maxBytes} bytes: ask for less at once.${done}`,
  )
}

/** Makes every field of the schema count in the budget of its result. Changes the schema and returns it. */
export function countFields(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields())) {
      const resolve = field.resolve ?? defaultFieldResolver
      const isLeaf = isLeafType(getNamedType(field.type))
      field.resolve = (source, args, context: { readonly budget: AnswerBudget }, info) => {
        const { budget } = context
        const turn = budget.enter(info)
        if (turn) return turn.then(() => (budget.resume(), run()))
        return run()

        function run(): unknown {
          const value: unknown = resolve(source, args, context, info)
          if (!isLeaf) return value
          if (value instanceof Promise) return value.then(answered)
          return answered(value)
        }

        function answered(value: unknown): unknown {
          budget.answer(value, info)
          return value
        }
      }
    }
  }
  return schema
}

/** The bytes of a leaf as JSON without escapes. It is a loop, since lists and JSON values nest. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + 2
  if (typeof value !== 'object' || value === null) return 1
  let bytes = 0
  for (const rest: unknown[] = [value]; rest.length > 0;) {
    const one = rest.pop()
    if (typeof one === 'string') bytes += Buffer.byteLength(one) + 3
    else if (Array.isArray(one)) rest.push(...one)
    else if (typeof one === 'object' && one !== null) {
      for (const [name, member] of Object.entries(one)) {
        bytes += name.length + fieldBytes
        rest.push(member)
      }
    } else bytes += 2
  }
  return bytes
}
