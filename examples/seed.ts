import { UserAlreadyExistsError, type Users } from 'fastify-bouncer'

/** Somebody with an account from the start. */
export interface SeededPerson {
  name: string
  email: string
  /** Printed at start: for an example only. */
  password: string
  roles: string[]
}

export const ada: SeededPerson = { name: 'Ada', email: 'ada@example.com', password: 'weaves-algebra-1843', roles: ['admin', 'billing'] }
export const eddie: SeededPerson = { name: 'Eddie', email: 'eddie@example.com', password: 'red-pencil-sharpened', roles: ['editor'] }
export const vera: SeededPerson = { name: 'Vera', email: 'vera@example.com', password: 'binoculars-and-tea', roles: ['viewer'] }

export const people: readonly SeededPerson[] = [ada, eddie, vera]

/** Makes accounts for those who have none: after a restart nothing happens. */
export async function seed (users: Users): Promise<void> {
  for (const { email, password, roles } of people) {
    if (await users.find({ email }) !== undefined) continue
    try {
      await users.create({ email, password, roles, is_verified: true })
    } catch (error) {
      // A second server that starts in the same moment may have been faster.
      if (!(error instanceof UserAlreadyExistsError)) throw error
    }
  }
}
