import type { Finding } from '../../domain/isolation.ts'
import type { ProbeReport } from '../../domain/probe.ts'

export const formats = ['table', 'json', 'junit'] as const
export type Format = (typeof formats)[number]

export function formatReports(reports: readonly ProbeReport[], format: Format): string {
  switch (format) {
    case 'table':
      return reports.map(formatTable).join('\n')
    case 'json':
      return `${JSON.stringify(reports, undefined, 2)}\n`
    case 'junit':
      return formatJunit(reports)
  }
}

function formatTable(report: ProbeReport): string {
  const { assistantId, strategy, verdict, calls, findings, remains } = report
  const lines = [`${assistantId} (${strategy}): ${verdict}, ${calls} upstream calls`, '']
  for (const { layer, verdict: found, reason } of findings) {
    lines.push(`  ${layer.padEnd(16)}  ${found.padEnd(12)}  ${reason}`)
  }
  for (const { layer, cause, remedy, evidence } of findings.filter(
    ({ cause: why }) => why !== null,
  )) {
    lines.push('', `  ${layer}`, `    cause:  ${cause}`, `    remedy: ${remedy}`)
    const logIds = evidence.flatMap((one) => one.logIds)
    if (logIds.length > 0)
      lines.push(`    log ids for the platform's support: ${logIds.join(', ')}`)
  }
  if (remains.length > 0) lines.push('', '  What may be left on the platform:')
  for (const sentence of remains) lines.push(`    - ${sentence}`)
  return `${lines.join('\n')}\n`
}

function formatJunit(reports: readonly ProbeReport[]): string {
  const suites = reports.map((report) => {
    const name = escape(`${report.assistantId} (${report.strategy})`)
    const failures = report.findings.filter(({ verdict }) => verdict === 'LEAKING').length
    const seconds = (report.endedAt - report.startedAt) / 1000
    const cases = report.findings.map((finding) => formatCase(name, finding)).join('')
    return `  <testsuite name="${name}" tests="${report.findings.length}" failures="${failures}" time="${seconds}">\n${cases}  </testsuite>\n`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`
}

function formatCase(suite: string, { layer, verdict, reason, remedy }: Finding): string {
  const message = escape(reason)
  const body = {
    ISOLATED: '',
    LEAKING: `<failure message="${message}">${escape(remedy ?? '')}</failure>`,
    INCONCLUSIVE: `<error message="${message}"/>`,
    NOT_TESTED: `<skipped message="${message}"/>`,
  }[verdict]
  return `    <testcase classname="${suite}" name="${layer}">${body}</testcase>\n`
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
