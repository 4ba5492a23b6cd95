import { builder } from './builder.ts'
import { checkJson, maxJsonDepth, maxJsonLength } from './json-value.ts'
import { UploadedFile } from '../uploaded-file.ts'

builder.scalarType('DateTime', {
  description: 'An instant as an ISO 8601 string in UTC with milliseconds.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (at) => new Date(at).toISOString(),
  parseValue: () => {
    throw new TypeError('DateTime is never an input')
  },
})

builder.scalarType('JSON', {
  description: `Any JSON value. As an input it may be ${maxJsonDepth} levels deep and ${maxJsonLength} characters long, and integers beyond 2^53 are sent as text.`,
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  serialize: (value) => value,
  parseValue: checkJson,
})

builder.scalarType('Upload', {
  description: 'A file that is sent as a part of a GraphQL multipart request.',
  specifiedByURL: 'https://github.com/jaydenseric/graphql-multipart-request-spec',
  serialize: () => {
    throw new TypeError('Upload is never an output')
  },
  parseValue: (value) => {
    if (value instanceof UploadedFile) return value
    throw new TypeError('A file is sent as a part of multipart/form-data.')
  },
})
