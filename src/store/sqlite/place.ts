import type { Position } from '../../domain.ts'

/** A position as one number, so that order is `<` and an index needs one column. */
export type Place = number

const seqs = 2 ** 32
const maxEpoch = 2 ** 20

/** Positions that no log can hold come out as the nearest that one could: they compare as they should. */
export function toPlace(position: Position): Place {
  return Math.min(position.epoch, maxEpoch) * seqs + Math.min(position.seq, seqs - 1)
}

export function toPosition(place: Place): Position {
  return { epoch: Math.floor(place / seqs), seq: place % seqs }
}
