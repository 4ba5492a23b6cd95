/** The full figures are for `npm run test:soak`; `npm test` takes the small ones. */
// oxlint-disable-next-line node/no-process-env
export const isSoak = process.env['SOAK'] === '1'

export function figure(small: number, full: number): number {
  return isSoak ? full : small
}
