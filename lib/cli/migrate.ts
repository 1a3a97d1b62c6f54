import { readOptions, type Command } from './command.js'
import { databaseOption, databaseUsage, storeToMigrate } from './database.js'

/** Brings the tables up to date. */
export const migrate: Command = {
  usage: `Usage: fastify-bouncer migrate [--database <where>] [--own-users]

Brings the tables up to date and prints what was done. It can run at any
time, also twice at once.

${databaseUsage}
  --own-users           for applications with a UserStore of their own: makes
                        no table of users
  -h, --help            prints this
`,

  async run (args, { stdout, env }) {
    const { database, 'own-users': ownUsers = false } = readOptions(args, { ...databaseOption, 'own-users': { type: 'boolean' } })
    const applied = await storeToMigrate(database, env, ownUsers).migrate()
    stdout.write(applied.length === 0
      ? 'Nothing to do: the tables are up to date.\n'
      : applied.map((name) => `Applied ${name}\n`).join(''))
  }
}
