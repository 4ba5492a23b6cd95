import { describe, expect, it } from 'vitest'
import { leakNames } from '../../src/demo/leaks.ts'
import { startDemo } from '../kit/process/demo.ts'

/** What the Workflow is, as the guard and then the probe find it; and what Bob is answered. */
const told: Readonly<Record<string, readonly [string, RegExp, string, RegExp]>> = {
  'static-conversation': [
    'BREACHED',
    /Bob: what is my secret\?\n +failed, ISOLATION_BREACH/,
    'LEAKING',
    /静态会话名称/,
  ],
  'shared-name': ['UNPROVEN', /I do not know your secret/, 'ISOLATED', /会话名称/],
  'foreign-conversations': [
    'UNPROVEN',
    /I do not know your secret/,
    'ISOLATED',
    /check whose it is/,
  ],
  'shared-variables': ['UNPROVEN', /Your secret is swordfish/, 'LEAKING', /用户级/],
  'shared-memory': ['UNPROVEN', /Your secret is swordfish/, 'LEAKING', /按会话隔离/],
  'shared-question': ['UNPROVEN', /Good morning/, 'LEAKING', /问答节点/],
  'fixed-node-names': ['UNPROVEN', /Your secret is swordfish/, 'LEAKING', /按会话隔离/],
  'unfiltered-knowledge': ['UNPROVEN', /Your account is ACC-20931/, 'LEAKING', /session_name 筛选/],
}

describe('demo --leak', () => {
  it('has a story for each leak', () => {
    expect(Object.keys(told)).toEqual(leakNames)
  })

  it.each(Object.entries(told))(
    '%s shows what users see, what the guard does, and what a probe finds',
    async (name, [guarded, seen, probed, remedy]) => {
      await using demo = await startDemo({ leak: name })
      const story = await demo.story
      expect(story).toMatch(seen)
      expect(story).toContain(`the gateway's verdict: ${guarded}`)
      expect(story).toContain(`workflow (workflow): ${probed}`)
      expect(story).toMatch(remedy)
      const after = story.slice(story.indexOf('3. What happens'))
      expect(after).toMatch(
        probed === 'LEAKING'
          ? /hello again\n +refused, ASSISTANT_UNAVAILABLE/
          : /hello again\n +answer: You said: hello again/,
      )
    },
  )
})
