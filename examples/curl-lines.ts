import { ada, eddie, people, vera, type Person } from './people.js'

const HOUR = 3600

/** Makes a token for a person, valid for so many seconds. */
export type TokenMaker = (person: Person, expiresIn: number) => Promise<string>

/** What to paste into a terminal, and what comes of it: a comment and a curl line for each. */
export async function curlLines (origin: string, makeToken: TokenMaker): Promise<string> {
  const tokens = new Map(await Promise.all(people.map(async (person) => [person, await makeToken(person, 8 * HOUR)] as const)))
  const expired = await makeToken(ada, -1)

  const curl = (path: string, token?: string, ...rest: string[]): string =>
    ['curl -si', ...(token === undefined ? [] : [`-H 'Authorization: Bearer ${token}'`]), ...rest, `'${origin}${path}'`].join(' ')
  const as = (person: Person, path: string, ...rest: string[]): string => curl(path, tokens.get(person), ...rest)
  const problem = "-H 'Accept: application/problem+json'"
  const json = "-H 'Content-Type: application/json'"

  const lines: Array<[label: string, command: string]> = [
    ['Ada has the roles admin and billing: 200', as(ada, '/admin')],
    ['Eddie is an editor: 200', as(eddie, '/drafts')],
    ['Vera is a viewer, which is enough here: 200', as(vera, '/me')],

    ['Nobody is signed in: 401 MISSING_TOKEN', curl('/admin')],
    ['Vera is no admin: 403 INSUFFICIENT_ROLES', as(vera, '/admin')],
    ['The token of Ada has expired: 401 TOKEN_EXPIRED', curl('/admin', expired)],
    ['A token nobody signed: 401 TOKEN_INVALID', curl('/admin', 'not.a.token')],
    ['A header that is no credentials: 400 INVALID_AUTHORIZATION_HEADER', curl('/admin', 'two words')],
    ['Vera again, as problem+json: 403 INSUFFICIENT_ROLES', as(vera, '/admin', problem)],

    ['Anyone may see what is public: 200', curl('/public')],
    ['Strangers are greeted too: 200', curl('/greeting')],
    ['Eddie is greeted by name: 200', as(eddie, '/greeting')],
    ['Ada has both roles that billing wants: 200', as(ada, '/billing')],
    ['Eddie has neither: 403 INSUFFICIENT_ROLES', as(eddie, '/billing')],
    ['Vera has the scope for reports: 200', as(vera, '/reports')],
    ['Eddie has not: 403 INSUFFICIENT_SCOPE', as(eddie, '/reports')],
    ['Eddie is in the group staff: 200', as(eddie, '/team')],
    ['Vera is not: 403 INSUFFICIENT_GROUPS', as(vera, '/team')],
    ['Eddie has the role and the group that the newsletter wants: 200', as(eddie, '/newsletter')],
    ['Ada passes a check deep in the call stack: 200', as(ada, '/audit')],
    ['Vera does not: 403 INSUFFICIENT_ROLES', as(vera, '/audit')],
    ['Ada asks for a user that there is not: 404 USER_NOT_FOUND', as(ada, '/users/nobody')],
    ['Vera writes a note: 201', as(vera, '/notes', json, '-d \'{"text":"hello"}\'')],
    ['Vera writes an empty one: 400 REQUEST_INVALID', as(vera, '/notes', json, "-d '{}'")],
    ['The body of a stranger is not even read: 401 MISSING_TOKEN', curl('/notes', undefined, json, "-d '{}'")],
    ['A handler asks who it is: 401 MISSING_TOKEN', curl('/whoami')]
  ]
  return lines.map(([label, command]) => `# ${label}\n${command}\n`).join('\n')
}
