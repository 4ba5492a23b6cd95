import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { environmentSettings } from '../../src/config/environment.ts'
import { parseConfig } from '../../src/config.ts'
import { replyFailureCodes } from '../../src/domain.ts'
import { createTestApp } from '../kit/emulator.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const readme = read('README.md')
const codes = [...read('src/errors.ts').matchAll(/code = '(\w+)'/g)].map(([, code]) => code ?? '')

describe('README', () => {
  it('shows a configuration that the gateway takes', () => {
    const example = readme
      .split('```json\n')
      .map((block) => block.split('```')[0] ?? '')
      .find((block) => block.includes('"listen"'))
    const { privateKeyPem } = createTestApp()
    const config = parseConfig({
      json: JSON.parse(example ?? ''),
      env: {},
      readFile: (path) => (path.endsWith('.pem') ? privateKeyPem : 'x'.repeat(48)),
    })
    expect(config.assistants).toHaveLength(1)
  })

  it.each(environmentSettings.map(({ path }) => path))('tells of the setting %s %s', (...path) => {
    expect(readme).toMatch(new RegExp(`\`(${path[0]})?\\.?${path.at(-1)}\``))
  })

  it.each([...new Set([...codes, ...replyFailureCodes])])('says what to do about %s', (code) => {
    expect(readme).toContain(`\`${code}\``)
  })
})
