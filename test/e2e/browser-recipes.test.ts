import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import type { System } from '../kit/process/system.ts'
import { describeChatRecipe } from '../kit/recipes/chat-steps.ts'
import { eventSource } from '../kit/recipes/event-source.ts'
import { aiSdk, reactHook } from '../kit/recipes/pages.ts'
import { describeRecipe, startRecipeSystem } from '../kit/recipes/ten-steps.ts'

describe('the recipe for', () => {
  let system: System
  let browser: Browser
  beforeAll(async () => {
    system = await startRecipeSystem({ cookie: {} })
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await system[Symbol.asyncDispose]()
  })

  describeRecipe(
    'EventSource',
    async (url, token) => await eventSource(browser)(url, token),
    () => system,
  )
  const hooks = { 'the hook of React': reactHook, "the AI SDK's useChat": aiSdk }
  for (const [name, page] of Object.entries(hooks))
    describeChatRecipe(
      name,
      page(() => browser),
      () => system,
    )
})
