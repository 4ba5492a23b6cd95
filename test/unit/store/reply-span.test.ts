import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { selectSpan } from '../../../src/store/sqlite/log.ts'
import { migrations } from '../../../src/store/sqlite/tables.ts'

describe('where the events of a reply lie', () => {
  it('is read without its text, which may have megabytes', () => {
    using db = new DatabaseSync(':memory:')
    for (const migration of migrations) db.exec(migration)
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${selectSpan}`).all('session', 'reply')
    const details = plan.map(({ detail }) => String(detail))
    expect(details.filter((detail) => detail.startsWith('SEARCH r '))).toEqual([
      expect.stringContaining('COVERING INDEX replies_span'),
    ])
  })
})
