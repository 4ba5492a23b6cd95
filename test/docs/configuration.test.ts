import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { environmentSettings } from '../../src/config/environment.ts'
import { root } from './markdown.ts'

const text = readFileSync(new URL('docs/configuration.md', root), 'utf8')

describe('docs/configuration.md', () => {
  it.each(environmentSettings.map(({ path }) => path))('has the setting %s %s', (...path) => {
    expect(text).toMatch(new RegExp(`\`(${path[0]})?\\.?${path.at(-1)}\``))
  })
})
