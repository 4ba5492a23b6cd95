import { readFileSync } from 'node:fs'
import { printGatewaySchema } from '../../src/graphql/schema.ts'

/** What clients read is what the server runs. */
const printed = readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8')
if (printed !== printGatewaySchema()) {
  console.error('schema/schema.graphql is not what the code says: run npm run codegen')
  process.exitCode = 1
}
