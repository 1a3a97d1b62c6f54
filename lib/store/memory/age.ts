import type { Position } from '../page.js'

/** Oldest first; of one moment, by id. */
export function byAge (a: Position, b: Position): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)
}

export function isAfter (item: Position, position: Position): boolean {
  return item.createdAt > position.createdAt || (item.createdAt === position.createdAt && item.id > position.id)
}
