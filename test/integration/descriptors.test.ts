import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { runCurl } from '../kit/clients/curl.ts'
import { startDemo } from '../kit/process/demo.ts'
import { until } from '../kit/process/until.ts'

describe('out of file descriptors', () => {
  it('F24: streams live on, and new connections are taken again without a restart', async () => {
    await using demo = await startDemo({ maxDescriptors: 64 })
    const { stream, send } = demo.commandsOf('Alice')
    using hears = await runCurl(stream)
    const { port, hostname } = new URL(/http:\S+/.exec(stream)?.[0] ?? '')

    const sockets = Array.from({ length: 100 }, () => connect(Number(port), hostname))
    let closed = 0
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.on('close', () => (closed += 1))
    }
    await until(() => closed > 0, 'a connection to be turned away')
    for (const socket of sockets) socket.destroy()

    // Until the server has seen that they are gone, there is no descriptor for another.
    using sent = await until(() => runCurl(send).catch(() => undefined), 'a connection to be taken')
    await sent.shows(/"SendMessageSuccess"/)
    await hears.shows(/"ReplyCompleted"/)
    expect(hears.output).toContain('swordfish')
  })
})
