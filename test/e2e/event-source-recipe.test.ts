import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import type { System } from '../kit/process/system.ts'
import { eventSource } from '../kit/recipes/event-source.ts'
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
})
