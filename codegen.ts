import type { CodegenConfig } from '@graphql-codegen/cli'

const config: CodegenConfig = {
  schema: 'schema/schema.graphql',
  documents: 'schema/operations/*.graphql',
  generates: {
    'schema/operations/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        importExtension: '.ts',
        scalars: {
          ID: { input: 'string', output: 'string' },
          DateTime: { input: 'never', output: 'string' },
          JSON: { input: 'unknown', output: 'unknown' },
          Upload: { input: 'Blob', output: 'never' },
        },
      },
    },
  },
}

// The tool takes nothing but a default export.
export default config
