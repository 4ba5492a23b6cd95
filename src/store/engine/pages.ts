import type { Page, PageRequest } from '../session-store.ts'

/** Code units of texts after which a call reads no further row: it holds up whatever is posted behind it. */
export const maxReadLength = 131_072

/** The ranks of the rows that bound a page; undefined: one of them is not there. */
export function findBounds<Id>(
  page: PageRequest<Id>,
  find: (id: Id) => number | undefined,
): { readonly after: number | undefined; readonly before: number | undefined } | undefined {
  const after = page.after === undefined ? undefined : find(page.after)
  const before = page.before === undefined ? undefined : find(page.before)
  const isUnknown =
    (page.after !== undefined && after === undefined) ||
    (page.before !== undefined && before === undefined)
  return isUnknown ? undefined : { after, before }
}

/** `rows` are one more than asked for when there are more. */
export function cut<Id, T>({ limit }: PageRequest<Id>, rows: readonly T[]) {
  return { isCut: rows.length > limit, inPage: rows.slice(0, limit) }
}

/** `rows` run in the page's direction; `hasMore`: there are more beyond the last of them. */
export function toPage<Id, T>(
  page: PageRequest<Id>,
  rows: readonly T[],
  hasMore: boolean,
): Page<T> {
  const isForward = page.direction === 'forward'
  // The row that bounds the page lies beyond it.
  return {
    rows: isForward ? rows : rows.toReversed(),
    hasNextPage: isForward ? hasMore || page.before !== undefined : page.before !== undefined,
    hasPreviousPage: isForward ? page.after !== undefined : hasMore || page.after !== undefined,
  }
}

interface WithText {
  readonly text: string
  readonly reasoning?: string
  readonly imageUrls?: readonly string[]
}

/** What is found of the first of `ids`, at least of one, until there is text enough for one call. */
export function readSome<Id, T extends WithText | undefined>(
  ids: readonly Id[],
  find: (id: Id) => T,
): readonly T[] {
  const rows: T[] = []
  let length = 0
  for (const id of ids) {
    const row = find(id)
    rows.push(row)
    const { text = '', reasoning = '', imageUrls = [] } = row ?? {}
    length += text.length + reasoning.length + imageUrls.join('').length
    if (length >= maxReadLength) break
  }
  return rows
}
