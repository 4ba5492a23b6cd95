import { describe, expect, it } from 'vitest'
import { findBotProblems, findWorkflowProblems } from '../../../src/domain/keying.ts'
import { createBotStrategy } from '../../../src/strategy/bot.ts'
import { createWorkflowStrategy } from '../../../src/strategy/workflow.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { createScriptedCoze, nameTokens } from '../../kit/fakes/coze.ts'
import { botSettings, strategyOptions, workflowSettings } from '../../kit/fakes/strategy-options.ts'

const app = { appId: 'a' }
const byName = { conversationKeying: 'name' } as const

describe('T13: a configuration that leaves a layer unkeyed', () => {
  it.each([
    ['a Workflow of an app', app],
    ['a Workflow of an app, by name', { ...app, ...byName }],
    ['a Workflow of a Bot', { botId: 'b' }],
    ['parameters of its own', { ...app, parameters: { LANGUAGE: 'en' } }],
  ])('is not: %s', (_, given) => {
    expect(findWorkflowProblems(workflowSettings(given))).toEqual([])
  })

  it('is not: a Bot', () => {
    expect(findBotProblems(botSettings())).toEqual([])
  })

  it.each([
    ['', { ...app, botId: 'b' }],
    ['', {}],
    ['conversationKeying', { botId: 'b', ...byName }],
    ['parameters.CONVERSATION_NAME', { ...app, parameters: { CONVERSATION_NAME: 'Default' } }],
    ['parameters.USER_INPUT', { ...app, parameters: { USER_INPUT: 'x' } }],
    ['parameters.SESSION_NAME', { ...app, parameters: { SESSION_NAME: 'everybody' } }],
    ['parameters.USER', { ...app, sessionParameter: 'USER', parameters: { USER: 1 } }],
    ['messageParameters.0', { ...app, messageParameters: ['CONVERSATION_NAME'] }],
    ['messageParameters.0', { ...app, messageParameters: ['SESSION_NAME'] }],
    ['messageParameters.1', { ...app, messageParameters: ['A', 'F'], attachmentParameter: 'F' }],
    ['attachmentParameter', { ...app, attachmentParameter: 'SESSION_NAME' }],
    ['attachmentParameter', { ...app, attachmentParameter: 'USER_INPUT' }],
    ['sessionParameter', { ...app, sessionParameter: 'CONVERSATION_NAME' }],
    ['sessionParameter', { ...app, sessionParameter: '' }],
  ])(
    'is refused at "%s" of a Workflow, by whoever reads it and by whoever drives it',
    (at, given) => {
      const workflow = workflowSettings(given)
      expect(findWorkflowProblems(workflow).map(({ path }) => path.join('.'))).toEqual([at])
      expect(() => createWorkflowStrategy({ ...parts, workflow })).toThrow(`"${at}"`)
    },
  )

  it.each([
    ['customVariables.SESSION_NAME', { customVariables: { SESSION_NAME: 'everybody' } }],
    ['messageVariables', { messageVariables: ['SESSION_NAME'] }],
    ['sessionVariable', { sessionVariable: '' }],
  ])('is refused at "%s" of a Bot, by whoever reads it and by whoever drives it', (at, given) => {
    const bot = botSettings(given)
    expect(findBotProblems(bot).map(({ path }) => path.join('.'))).toEqual([at])
    expect(() => createBotStrategy({ ...parts, bot })).toThrow(`"${at}"`)
  })

  it('is refused for each problem at once', () => {
    const parameters = { CONVERSATION_NAME: 'Default', SESSION_NAME: 'everybody' }
    const found = findWorkflowProblems(workflowSettings({ parameters }))
    expect(found.map(({ path }) => path.join('.')).toSorted()).toEqual([
      '',
      'parameters.CONVERSATION_NAME',
      'parameters.SESSION_NAME',
    ])
  })
})

const parts = {
  client: createScriptedCoze({}),
  tokens: nameTokens,
  clock: createFakeClock(),
  random: () => 0,
  scope: { origin: 'http://coze.test', account: '' },
  recoverMs: 30_000,
  ...strategyOptions(),
}
