import type { JsonValue } from '../../domain.ts'
import { BadUserInputError } from '../../errors.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { decodeExportPlace } from '../export/cursor.ts'
import { exportPage } from '../export/page.ts'

const SessionExport = builder
  .objectRef<{ document: JsonValue; next: string | null }>('SessionExport')
  .implement({
    description: 'A page of everything that is kept here of the session.',
    fields: (t) => ({
      document: t.expose('document', {
        type: 'JSON',
        description:
          'The session and its conversations with their messages, replies and attachments. A conversation that goes on in the next page, or is used meanwhile, comes again: join them by id.',
      }),
      next: t.exposeString('next', {
        nullable: true,
        description: 'Goes into `after` for the next page; null: this is the last one.',
      }),
    }),
  })

builder.queryField('exportSession', (t) =>
  t.field({
    ...costs(20_000),
    description:
      'Everything that is kept here of the session, in pages of about 1 MiB: least recently used conversations first.',
    type: SessionExport,
    args: { after: t.arg.string({ description: 'The `next` of the page before.' }) },
    resolve: async (_root, { after }, context) => {
      if (after == null) return await exportPage(context, undefined)
      const place = decodeExportPlace(after)
      if (!place) throw new BadUserInputError('"after" is no place in an export.')
      return await exportPage(context, place)
    },
  }),
)
