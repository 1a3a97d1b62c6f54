import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { postgresStore, type PostgresStoreOptions, type SqlStore } from '../../lib/store/sql.js'
import { postgresSchema } from './engines.js'

export interface OpenedPostgres {
  store: SqlStore
  /** Address of the schema. */
  url: string
  /** What the store's connections are called. */
  name: string
}

/** An open store in a schema of its own, connected directly or by another address. A machine may be slow: limits are long unless a test is about them. */
export async function openedPostgres (t: Test, options: PostgresStoreOptions = {}, by = async (url: string): Promise<string> => url): Promise<OpenedPostgres> {
  const name = `test-${randomUUID()}`
  const url = new URL(await postgresSchema(t))
  url.searchParams.set('application_name', name)
  const store = postgresStore(await by(url.href), { connectTimeout: 30, statementTimeout: 30, ...options })
  t.teardown(() => store.close())
  await store.open()
  return { store, url: url.href, name }
}
