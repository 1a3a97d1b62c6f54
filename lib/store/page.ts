import type { Page, PageRequest } from './contract.js'

/** Where a page ends: lists are ordered by time, then by id. */
export interface Position {
  readonly createdAt: number
  readonly id: string
}

/** No cursor of ours is longer, in characters. */
const LONGEST = 2048
/** The year 9999: PostgreSQL reads no longer years. */
const LATEST = 253402300799999

/** What of a list comes after a request's cursor: from the start without one, nothing at all for one that was made up. */
export function startOf ({ after }: PageRequest): 'start' | 'nowhere' | Position {
  if (after === undefined) return 'start'
  if (after.length > LONGEST) return 'nowhere'
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(after, 'base64url').toString()) as [unknown, unknown]
    const valid = Number.isInteger(createdAt) && Number(createdAt) >= 0 && Number(createdAt) <= LATEST && typeof id === 'string' && !id.includes('\0')
    return valid ? { createdAt: createdAt as number, id } : 'nowhere'
  } catch {
    // Cursors are not secret and not signed: one that was made up shows nothing.
    return 'nowhere'
  }
}

/** A page from `found`, for which one item more than the limit was asked. */
export function pageOf<Item extends Position> (found: readonly Item[], { limit }: PageRequest): Page<Item> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const next = found.length > limit && last !== undefined ? Buffer.from(JSON.stringify([last.createdAt, last.id])).toString('base64url') : undefined
  return { items, next }
}

/** A page of nothing. */
export const emptyPage: Page<never> = { items: [], next: undefined }
