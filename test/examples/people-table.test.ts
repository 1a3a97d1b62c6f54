import t from 'tap'
import Engine from 'better-sqlite3'
import { peopleTable } from '../../examples/people-table.js'
import { memoryStore } from '../../lib/store/memory.js'
import type { OpenStore } from '../store/conformance.js'
import { lastHolderStays, usersConform } from '../store/conformance-users.js'
import { sqliteFile } from '../store/engines.js'

// What the example shows people to write must keep the contract, also between connections.

const open: OpenStore = async (t, clock) => {
  const file = await sqliteFile(t)
  const [store, other] = [0, 1].map(() => {
    const database = new Engine(file)
    t.teardown(() => { database.close() })
    return memoryStore({ clock: clock.now, users: peopleTable(database) })
  })
  return { store, other } as Awaited<ReturnType<OpenStore>>
}

t.test('users in a table of the application', (t) => { usersConform(t, open); t.end() })
t.test('the last holder of a role stays', (t) => { lastHolderStays(t, open); t.end() })
