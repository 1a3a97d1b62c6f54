import type { Test } from 'tap'
import type { Store } from '../../lib/store/contract.js'
import { ephemeralConforms, lifetimesConform } from './conformance-ephemeral.js'
import { factorsConform } from './conformance-factors.js'
import { identitiesConform } from './conformance-identities.js'
import { sessionsConform } from './conformance-sessions.js'
import { lastHolderStays, usersConform } from './conformance-users.js'
import type { TestClock } from './engines.js'

/** An empty store as a test gets it. */
export interface Subject {
  store: Store
  /** The same data by another connection, or handle; the same store where there is none. */
  other: Store
}

/** Makes an empty store that follows the clock, and that is closed when the test ends. */
export type OpenStore = (t: Test, clock: TestClock) => Promise<Subject>

export interface ConformanceOptions {
  open: OpenStore
  /** Whether users are in a table of ours, which sessions refer to. */
  ownsUsers?: boolean
}

/** Everything a store must do, whichever engine it stands on. */
export function storeConforms (t: Test, { open, ownsUsers = true }: ConformanceOptions): void {
  t.test('users', (t) => { usersConform(t, open); t.end() })
  t.test('the last holder of a role stays', (t) => { lastHolderStays(t, open); t.end() })
  t.test('sessions', (t) => { sessionsConform(t, open, ownsUsers); t.end() })
  t.test('second factors', (t) => { factorsConform(t, open, ownsUsers); t.end() })
  t.test('linked accounts', (t) => { identitiesConform(t, open, ownsUsers); t.end() })
  t.test('what expires', (t) => { ephemeralConforms(t, open); t.end() })
  t.test('lifetimes', (t) => { lifetimesConform(t, open); t.end() })
}
