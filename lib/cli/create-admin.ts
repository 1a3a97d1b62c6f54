import { systemClock } from '../clock.js'
import { createUserMaker, type NewAccount } from '../flow/account/new-user.js'
import { createPasswords } from '../password/passwords.js'
import { available } from '../store/available.js'
import { normalizedNames, normalizedRoles } from '../user/account.js'
import { readOptions, UsageError, type Command } from './command.js'
import { databaseOption, databaseUsage, storeToUse } from './database.js'
import { readNewPassword } from './new-password.js'

const OPTIONS = {
  ...databaseOption,
  email: { type: 'string' },
  username: { type: 'string' },
  role: { type: 'string', multiple: true }
} as const

/** Makes an administrator: active, verified, and with a password. */
export const createAdmin: Command = {
  usage: `Usage: fastify-bouncer create-admin --email <address> [--username <name>]
                                    [--role <role>] [--database <where>]

Makes an administrator, active and verified. The password is asked for twice on
a terminal, or else read as the first line of standard input; it is never an
argument, which everybody on the machine can read.

  --email <address>     what the administrator signs in with
  --username <name>     a user name besides (default: none)
  --role <role>         a role; may be given several times (default: admin)
${databaseUsage}
  -h, --help            prints this
`,

  async run (args, io) {
    const { database, email, username, role: roles = ['admin'] } = readOptions(args, OPTIONS)
    if (email === undefined) throw new UsageError('--email is missing.')
    const administrator = { email, username, roles, is_active: true, is_verified: true }
    checkNames(administrator)
    const store = storeToUse(database, io.env)
    await store.open()
    try {
      const makeUser = createUserMaker({ users: available(store).users, passwords: createPasswords(), clock: systemClock })
      const user = await makeUser({ ...administrator, password: await readNewPassword(io) })
      io.stdout.write(`Created ${user.email} with the ${user.roles.length === 1 ? 'role' : 'roles'} ${user.roles.join(', ')}: user ${user.id}\n`)
    } finally {
      await store.close()
    }
  }
}

/** Before somebody is asked for a password in vain. */
function checkNames ({ email, username, roles = [] }: NewAccount): void {
  try {
    normalizedNames({ email, username })
    normalizedRoles(roles)
  } catch (error) {
    throw new UsageError(`${(error as TypeError).message}.`)
  }
}
