import type { LiveCounts } from '../../observe/live-counts.ts'
import { builder } from './builder.ts'

const NamedCount = builder
  .objectRef<{ readonly name: string; readonly count: number }>('NamedCount')
  .implement({
    description: 'A number of things of one name.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'The name of what is counted.' }),
      count: t.exposeInt('count', { description: 'The number.' }),
    }),
  })

const LiveCountsType = builder.objectRef<LiveCounts>('LiveCounts').implement({
  description:
    'The numbers that one instance of the gateway has counted since it started, for operators.',
  fields: (t) => ({
    startedAt: t.expose('since', {
      type: 'DateTime',
      description: 'The instant at which the counting began.',
    }),
    openSubscriptions: t.exposeInt('openSubscriptions', {
      description: 'The number of subscriptions that are open.',
    }),
    acceptedMessages: t.exposeInt('acceptedMessages', {
      description: 'The number of messages that were accepted.',
    }),
    refusedMessages: t.field({
      type: [NamedCount],
      description: 'The messages that were refused, by the code of the refusal.',
      resolve: ({ refusedMessages }) => listed(refusedMessages),
    }),
    endedReplies: t.field({
      type: [NamedCount],
      description: 'The replies that ended, by status, and by the code of a failure after it.',
      resolve: ({ endedReplies }) => listed(endedReplies),
    }),
    endedSubscriptions: t.field({
      type: [NamedCount],
      description: 'The subscriptions that ended, by reason.',
      resolve: ({ endedSubscriptions }) => listed(endedSubscriptions),
    }),
    upstreamErrors: t.field({
      type: [NamedCount],
      description: 'The failed attempts of platform calls, by the call and the code after it.',
      resolve: ({ upstreamErrors }) => listed(upstreamErrors),
    }),
    medianFirstDeltaMs: t.int({
      nullable: true,
      description:
        'The median time in milliseconds from accepting a message to its first text, of the last 256 replies, or null if there was none.',
      resolve: ({ firstDeltaMs }) => quantile(firstDeltaMs, 0.5),
    }),
    slowFirstDeltaMs: t.int({
      nullable: true,
      description:
        'The time in milliseconds from accepting a message to its first text that 95 of 100 of the last 256 replies do not exceed, or null if there was none.',
      resolve: ({ firstDeltaMs }) => quantile(firstDeltaMs, 0.95),
    }),
  }),
})

builder.queryField('liveCounts', (t) =>
  t.field({
    description:
      'The numbers that the instance that answers has counted since it started. It is null with an error unless the caller is an operator.',
    type: LiveCountsType,
    nullable: true,
    authScopes: { operator: true },
    resolve: (_root, _args, { support }) => support?.counts() ?? null,
  }),
)

function listed(counts: ReadonlyMap<string, number>) {
  return [...counts].map(([name, count]) => ({ name, count }))
}

function quantile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.ceil(sorted.length * share) - 1]
  return value === undefined ? null : Math.round(value)
}
