import { readFileSync, writeFileSync } from 'node:fs'
import { printGatewaySchema, schema } from '../../src/graphql/schema.ts'
import { clientCaches } from './client-caches.ts'
import { clientDocuments } from './client-documents.ts'

/**
 * What clients read is what the server runs.
 *
 *     node test/check/schema-drift.ts           fails when a file beside the schema is not what the code says
 *     node test/check/schema-drift.ts --write   writes them
 */
const files = {
  'schema.graphql': printGatewaySchema(),
  'client-documents.json': await clientDocuments(),
  ...clientCaches(schema),
}
for (const [name, text] of Object.entries(files)) {
  const file = new URL(`../../schema/${name}`, import.meta.url)
  if (process.argv.includes('--write')) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`schema/${name} is not what the code says: run npm run codegen`)
    process.exitCode = 1
  }
}
