import type { JsonValue } from '../../domain.ts'
import { BadUserInputError } from '../../errors.ts'
import { builder } from './builder.ts'
import { costs } from '../cost.ts'
import { decodeExportCursor } from '../export/cursor.ts'
import { exportPage } from '../export/page.ts'

const SessionExport = builder
  .objectRef<{ document: JsonValue; nextCursor: string | null }>('SessionExport')
  .implement({
    description: "A page of everything that the gateway keeps of the caller's session.",
    fields: (t) => ({
      document: t.expose('document', {
        type: 'JSON',
        description:
          'The session and its conversations with their messages, replies and attachments, where a conversation that appears on several pages is to be joined by its id.',
      }),
      nextCursor: t.exposeString('nextCursor', {
        nullable: true,
        description: 'The cursor to pass as `after` for the next page, or null on the last page.',
      }),
    }),
  })

builder.queryField('sessionExport', (t) =>
  t.field({
    ...costs(20_000),
    description:
      "Everything that the gateway keeps of the caller's session, in pages of about 1 MiB with the least recently used conversations first.",
    type: SessionExport,
    args: { after: t.arg.string({ description: 'The `nextCursor` of the page before.' }) },
    resolve: async (_root, { after }, context) => {
      if (after == null) return await exportPage(context, undefined)
      const place = decodeExportCursor(after)
      if (!place) throw new BadUserInputError('"after" is not a cursor of an export.')
      return await exportPage(context, place)
    },
  }),
)
