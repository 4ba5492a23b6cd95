import { builder } from './builder.ts'
import { checkJson, maxJsonDepth, maxJsonLength } from './json-value.ts'
import { UploadedFile } from '../uploaded-file.ts'

builder.scalarType('DateTime', {
  description: 'An instant, as an ISO 8601 string in UTC with milliseconds.',
  serialize: (at) => new Date(at).toISOString(),
  parseValue: () => {
    throw new TypeError('DateTime is never an input')
  },
})

builder.scalarType('JSON', {
  description: `Any JSON value. As an input at most ${maxJsonDepth} levels deep and ${maxJsonLength} characters long; integers beyond 2^53 go as text.`,
  serialize: (value) => value,
  parseValue: checkJson,
})

builder.scalarType('File', {
  description:
    'A file, sent as the GraphQL multipart request specification says: see the documentation of uploads.',
  serialize: () => {
    throw new TypeError('File is never an output')
  },
  parseValue: (value) => {
    if (value instanceof UploadedFile) return value
    throw new TypeError('A file is sent as a part of multipart/form-data.')
  },
})
