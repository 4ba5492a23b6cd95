import type { ProbeExchange, ProbeReport } from '../../domain/probe.ts'
import { builder } from './builder.ts'
import { StrategyKind } from './explanation.ts'
import { IsolationFinding, ProbeVerdictType } from './isolation.ts'
import { AssistantNode } from './nodes.ts'

const ProbeExchangeType = builder.objectRef<ProbeExchange>('ProbeExchange').implement({
  description: 'A message of a probe and its answer, without a word of either.',
  fields: (t) => ({
    sentAt: t.expose('at', {
      type: 'DateTime',
      description: 'The instant at which the message was sent.',
    }),
    sessionNumber: t.exposeInt('session', {
      description: 'The number, from 1, of the probe session that sent the message.',
    }),
    upstreamConversationId: t.exposeID('conversationId', {
      description: "The platform's id of the conversation.",
    }),
    upstreamChatId: t.exposeID('chatId', { description: "The platform's id of the chat." }),
    upstreamLogId: t.exposeID('logId', {
      nullable: true,
      description: "The id of the platform's log lines, or null if the platform gave none.",
    }),
    eventTypes: t.exposeString('events', {
      description: 'The types of the events in their order, with repeated ones counted.',
    }),
  }),
})

export const ProbeReportType = builder.objectRef<ProbeReport>('ProbeReport').implement({
  description: 'The result of probing one strategy of an assistant.',
  fields: (t) => ({
    assistant: t.field({
      type: AssistantNode,
      nullable: true,
      description: 'The assistant that was probed, or null if it is no longer configured.',
      resolve: ({ assistantId }, _args, { assistants }) =>
        assistants.find(({ id }) => id === assistantId) ?? null,
    }),
    strategy: t.expose('strategy', {
      type: StrategyKind,
      description: 'The way in which the assistant was driven.',
    }),
    verdict: t.expose('verdict', {
      type: ProbeVerdictType,
      description: 'The overall result of the probe.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      description: 'The instant at which the probe of this strategy started.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      description: 'The instant at which the probe of this strategy ended.',
    }),
    upstreamCalls: t.exposeInt('calls', {
      description: 'The number of platform calls that were made.',
    }),
    findings: t.field({
      type: [IsolationFinding],
      description: 'The findings, layer by layer.',
      resolve: ({ findings, strategy }) => findings.map((finding) => ({ ...finding, strategy })),
    }),
    exchanges: t.field({
      type: [ProbeExchangeType],
      description: "The messages that were exchanged, for the platform's support.",
      resolve: ({ exchanges }) => [...exchanges],
    }),
    leftBehind: t.stringList({
      description: 'Sentences that name what the probe may have left on the platform.',
      resolve: ({ remains }) => [...remains],
    }),
  }),
})
