/** What a statement may be given; a list stands for an array. */
export type SqlValue = string | number | null | readonly (string | number | null)[]

/**
 * A piece of a statement: its text, cut where its values go. Values never become text, and pieces are put together
 * without anybody counting placeholders.
 */
export class Sql {
  readonly #strings: readonly string[]
  readonly #values: readonly (Sql | SqlValue)[]

  constructor(strings: readonly string[], values: readonly (Sql | SqlValue)[]) {
    this.#strings = strings
    this.#values = values
  }

  toQuery(): { readonly text: string; readonly values: readonly SqlValue[] } {
    const values: SqlValue[] = []
    return { text: this.#write(values), values }
  }

  #write(into: SqlValue[]): string {
    let text = this.#strings[0] ?? ''
    for (const [index, value] of this.#values.entries()) {
      if (value instanceof Sql) text += value.#write(into)
      else text += `$${into.push(value)}`
      text += this.#strings[index + 1] ?? ''
    }
    return text
  }
}

export function sql(strings: TemplateStringsArray, ...values: readonly (Sql | SqlValue)[]): Sql {
  return new Sql(strings, values)
}

/** Words of ours, such as the name of a table: never anything that came from outside. */
export function raw(text: string): Sql {
  return new Sql([text], [])
}

export function list(pieces: readonly (Sql | SqlValue)[], separator = ', '): Sql {
  if (pieces.length === 0) return raw('')
  return new Sql(['', ...pieces.slice(1).map(() => separator), ''], pieces)
}

/** One row, or null, as one value of another query: what one call needs is read in one round trip. */
export function row(query: Sql): Sql {
  return sql`(SELECT to_json(x) FROM (${query}) x)`
}

/** All rows, in their order, as one value of another query. */
export function rows(query: Sql): Sql {
  return sql`(SELECT coalesce(json_agg(x), '[]') FROM (${query}) x)`
}

export type Columns = Readonly<Record<string, SqlValue | Sql>>

/** `column = value, …` */
export function assign(columns: Columns): Sql {
  return list(Object.entries(columns).map(([name, value]) => sql`${raw(name)} = ${value}`))
}
