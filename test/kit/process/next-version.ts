import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** A migration as every version may have one: it adds what the version before does without. */
const migration = `
  ALTER TABLE replies ADD COLUMN of_the_next_version text;
  CREATE TABLE of_the_next_version (name text PRIMARY KEY);`

/** The program as a later version would be, whose tables are of the next version. */
export interface NextVersion extends AsyncDisposable {
  /** What takes the command. */
  readonly program: string
}

export async function makeNextVersion(): Promise<NextVersion> {
  await using stack = new AsyncDisposableStack()
  const home = await mkdtemp(join(tmpdir(), 'gateway-next-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
  for (const part of ['src', 'schema', 'package.json']) {
    await cp(join(root, part), join(home, part), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(home, 'node_modules'))
  const schema = join(home, 'src/store/postgres/schema.ts')
  const text = await readFile(schema, 'utf8')
  const end = text.lastIndexOf(']')
  await writeFile(schema, `${text.slice(0, end)}\`${migration}\`,\n]\n`)
  const owned = stack.move()
  return {
    program: join(home, 'src/cli.ts'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
