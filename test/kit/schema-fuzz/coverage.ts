import { type GraphQLSchema, isObjectType } from 'graphql'
import type { Selection } from './operation.ts'

/** Which fields of a schema were asked for, as `Type.field`. */
export interface Coverage {
  /** Of an operation that was executed. */
  select(selections: readonly Selection[]): void
  /** A field that stood in an answer. */
  answer(parent: string, field: string): void
  /** How much this field is wanted: more as long as it was not answered. */
  weightOf(parent: string, field: string): number
  readonly all: readonly string[]
  readonly unselected: readonly string[]
  readonly unanswered: readonly string[]
}

/** What is done rarely, or nothing would be left to look at. */
const destructive = /^(erase|delete|clear)/

export function createCoverage(schema: GraphQLSchema): Coverage {
  const all = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith('__')
      ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
      : [],
  )
  const selected = new Set<string>()
  const answered = new Set<string>()

  return {
    all,
    select(selections) {
      for (const selection of selections) {
        if (selection.kind === 'field') selected.add(`${selection.parent}.${selection.name}`)
        this.select(selection.selections)
      }
    },
    answer: (parent, field) => void answered.add(`${parent}.${field}`),
    weightOf(parent, field) {
      if (destructive.test(field)) return 0.05
      return answered.has(`${parent}.${field}`) ? 1 : 3
    },
    get unselected() {
      return all.filter((field) => !selected.has(field))
    },
    get unanswered() {
      return all.filter((field) => !answered.has(field))
    },
  }
}
