import { describe, expect, it } from 'vitest'
import { createChatClient, shareAmongTabs } from '../../../src/client/client.ts'
import type { Platform } from '../../../src/client/platform.ts'
import {
  accepted,
  createFakeChatGateway,
  delta,
  keepAliveMs,
  started,
} from '../../kit/fakes/chat-gateway.ts'
import { createFakeTabs } from '../../kit/fakes/tabs.ts'

/** The tabs of one browser, each with its client. */
function openBrowserTabs() {
  const gateway = createFakeChatGateway()
  const tabs = createFakeTabs()
  let isSuspended = false
  const open = (platform: Platform = gateway.platform) => {
    const seen: string[] = []
    const chat = createChatClient({
      url: '/graphql',
      platform,
      transport: shareAmongTabs(gateway.transport, tabs.tools, platform),
    })
    chat.onEvent(({ cursor }) => seen.push(cursor))
    return { chat, seen }
  }
  /** A tab whose clock stands still, as that of a suspended page. */
  const suspendable: Platform = {
    ...gateway.platform,
    now: () => (isSuspended ? 0 : gateway.platform.now()),
    timer: (ms, ring) => gateway.platform.timer(ms, () => isSuspended || ring()),
  }
  return { ...gateway, tabs, open, suspendable, suspend: () => (isSuspended = true) }
}

describe('the tabs of one session', () => {
  it('have one stream, of which each sees the events', async () => {
    const { open, stream, streams, clock, state } = openBrowserTabs()
    const first = open()
    const leading = await stream()
    const second = open()
    await clock.pass(250)
    leading.send(started('r1', 'c1'), delta('r1', 'c2', 0, 'Hel'))
    await clock.pass(250)
    state.replies.set('r1', accepted('r1', { status: 'RUNNING', text: 'Hel' }))
    const reply = await second.chat.follow('r1')
    leading.send(delta('r1', 'c3', 3, 'lo'))
    await clock.pass(0)
    expect(first.seen).toEqual(['c1', 'c2', 'c3'])
    expect(second.seen).toEqual(['c1', 'c2', 'c3'])
    expect(reply.state.snapshot().text).toBe('Hello')
    expect(streams).toHaveLength(1)
    first.chat.close()
    second.chat.close()
  })

  it('go on after the last event when the tab that has the stream is closed', async () => {
    const { open, stream, clock } = openBrowserTabs()
    const first = open()
    const leading = await stream()
    const second = open()
    await clock.pass(250)
    leading.send(started('r1', 'c1'))
    await clock.pass(0)
    first.chat.close()
    await clock.pass(0)
    const next = await stream()
    expect(leading.isClosed).toBe(true)
    expect(next.after).toBe('c1')
    next.send(delta('r1', 'c2', 0, 'Hel'))
    expect(second.seen).toEqual(['c1', 'c2'])
    second.chat.close()
  })

  it('leave the stream to the tab that connects again, and miss nothing meanwhile', async () => {
    const { open, stream, streams, clock, requests } = openBrowserTabs()
    const first = open()
    const second = open()
    await clock.pass(250)
    const leading = await stream()
    leading.send(started('r1', 'c1'))
    await clock.pass(0)
    const { length } = requests
    leading.end()
    await clock.pass(250)
    const next = await stream()
    expect(next.after).toBe('c1')
    next.send(delta('r1', 'c2', 0, 'Hel'))
    await clock.pass(0)
    expect(first.seen).toEqual(['c1', 'c2'])
    expect(second.seen).toEqual(['c1', 'c2'])
    expect(streams).toHaveLength(2)
    expect(requests).toHaveLength(length)
    first.chat.close()
    second.chat.close()
  })

  it('take the stream of a tab that is suspended, which answers nobody without end', async () => {
    const { open, stream, streams, clock, suspendable, suspend, tabs } = openBrowserTabs()
    const first = open(suspendable)
    const leading = await stream()
    const second = open()
    await clock.pass(250)
    leading.send(started('r1', 'c1'))
    await clock.pass(0)
    suspend()
    for (let passed = 0; passed < 8 && streams.length === 1; passed += 1) {
      await clock.pass(keepAliveMs / 2)
    }
    const next = await stream()
    expect(streams).toHaveLength(2)
    expect(next.after).toBe('c1')
    next.send(delta('r1', 'c2', 0, 'Hel'))
    await clock.pass(0)
    expect(second.seen).toEqual(['c1', 'c2'])
    expect(tabs.posted()).toBeLessThan(60)
    first.chat.close()
    second.chat.close()
  })

  it('read the state again if they have missed something', async () => {
    const { open, stream, clock, state, requests } = openBrowserTabs()
    const first = open()
    const leading = await stream()
    leading.send(started('r1', 'c1'))
    state.cursor = 'c0'
    const second = open()
    await clock.pass(0)
    const { length } = requests
    await clock.pass(250)
    expect(requests.length).toBe(length + 1)
    leading.send(delta('r1', 'c2', 0, 'Hel'))
    await clock.pass(0)
    expect(second.seen).toEqual(['c2'])
    first.chat.close()
    second.chat.close()
  })
})
