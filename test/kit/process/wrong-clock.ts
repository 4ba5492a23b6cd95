const hourMs = 3_600_000

/** Loaded into a process: its wall clock is right, an hour ahead or an hour behind, and each SIGUSR2 makes it the next of these. */
const script = `
  const now = Date.now.bind(Date)
  const offsets = [0, ${hourMs}, ${-hourMs}]
  let at = process.pid
  Date.now = () => now() + offsets[at % offsets.length]
  process.on('SIGUSR2', () => { at += 1 })`

/** The environment of such a process. */
export const wrongClock = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}`,
}
