import { BadUserInputError } from '../../errors.ts'
import type { Page, PageRequest } from '../../store/session-store.ts'
import { decodeRowCursor, encodeRowCursor } from '../global-id.ts'

const defaultRows = 20
const maxRows = 100

export interface PageArgs {
  readonly first?: number | null | undefined
  readonly last?: number | null | undefined
  readonly after?: string | null | undefined
  readonly before?: string | null | undefined
}

/** The page to ask the store for. @throws {@link BadUserInputError} */
export function pageRequest<Id extends string>(args: PageArgs): PageRequest<Id> {
  const { first, last } = args
  if (first != null && last != null) {
    throw new BadUserInputError('"first" and "last" exclude each other.')
  }
  return {
    direction: last == null ? 'forward' : 'backward',
    limit: rows('first', first) ?? rows('last', last) ?? defaultRows,
    after: boundary<Id>('after', args.after),
    before: boundary<Id>('before', args.before),
  }
}

/** The page as a Relay connection. @throws {@link BadUserInputError} when a bounding row does not exist */
export function connection<Row extends { readonly id: string }>(page: Page<Row> | undefined) {
  if (!page) throw unknownCursor('after" or "before')
  const edges = page.rows.map((node) => ({ cursor: encodeRowCursor(node.id), node }))
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

function rows(name: string, value: number | null | undefined): number | undefined {
  if (value == null) return undefined
  if (value < 1 || value > maxRows) {
    throw new BadUserInputError(`"${name}" must be from 1 to ${maxRows}.`)
  }
  return value
}

function boundary<Id extends string>(
  name: string,
  cursor: string | null | undefined,
): Id | undefined {
  if (cursor == null) return undefined
  const id = decodeRowCursor(cursor)
  if (id === undefined) throw unknownCursor(name)
  return id as Id
}

function unknownCursor(name: string): BadUserInputError {
  return new BadUserInputError(`"${name}" is not a cursor of this connection.`)
}
