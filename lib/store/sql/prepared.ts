import type { Compilable, CompiledQuery, QueryResult } from 'kysely'
import type { Connection } from './family.js'

/** A place in a statement, for the value of this name. */
export type Place<Values> = <Name extends keyof Values>(name: Name) => Values[Name]

/**
 * A statement that runs for every request: it is built once for a connection,
 * since building takes longer than running, and then only given its values.
 */
export function prepared<Values extends object, Row> (
  connect: () => Connection,
  build: (connection: Connection, place: Place<Values>) => Compilable<Row>
): (values: Values) => Promise<QueryResult<Row>> {
  const statements = new WeakMap<Connection, (values: Values) => CompiledQuery<Row>>()

  function statement (connection: Connection): (values: Values) => CompiledQuery<Row> {
    const places = new Map<unknown, keyof Values>()
    const compiled = build(connection, (name) => {
      const marker = {}
      places.set(marker, name)
      return marker as Values[typeof name]
    }).compile()
    const names = compiled.parameters.map((parameter) => places.get(parameter))
    return (values) => ({ ...compiled, parameters: names.map((name, index) => name === undefined ? compiled.parameters[index] : values[name]) })
  }

  return async (values) => {
    const connection = connect()
    let fill = statements.get(connection)
    if (fill === undefined) statements.set(connection, fill = statement(connection))
    return await connection.db.executeQuery(fill(values))
  }
}
