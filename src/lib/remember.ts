/** Puts an entry behind all others of a map, and forgets those that came first while there are more than `max`. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key)
  map.set(key, value)
  for (const first of map.keys()) {
    if (map.size <= max) return
    map.delete(first)
  }
}
