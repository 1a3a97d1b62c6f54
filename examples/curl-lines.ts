import type { IdentityProvider } from './identity-provider.js'
import { ada, eddie, vera, type SeededPerson } from './seed.js'

/** What the lines hold. */
export interface CurlLinesOptions {
  origin: string
  /** Where mails are. */
  dataDir: string
  tokens: IdentityProvider['tokens']
}

/**
 * What to paste into a terminal, in this order, and what comes of it: a comment
 * and a line for each. Variables of the shell keep what later lines need. Whoever
 * registers has another address each time, so that all can be pasted again.
 */
export function curlLines ({ origin, dataDir, tokens }: CurlLinesOptions): string {
  return [
    preparation(origin, dataDir, tokens),
    section('Signing in', signingIn),
    section('Roles', roles),
    section('Groups and scopes, in tokens of the identity provider', groupsAndScopes),
    section('Refusals', refusals),
    section('An account of her own', registering),
    section('A session', session),
    section('A forgotten password', forgotten),
    section('Administrators', administration),
    section('Locked out', lockedOut)
  ].join('\n')
}

/** A comment with the status and code that come of a line, or none, and the line. */
type Line = [comment: string, command: string] | [command: string]

function section (title: string, lines: readonly Line[]): string {
  const text = lines.map((line) => line.length === 1 ? line[0] : `# ${line[0]}\n${line[1]}`)
  return `${[`## ${title}`, ...text].join('\n\n')}\n`
}

// The last line of what `curl -i` prints is the body.
function preparation (origin: string, dataDir: string, { grace, linus, expired }: IdentityProvider['tokens']): string {
  return `## Variables for the lines below

API='${origin}'
MAILS='${`${dataDir}/mail`.replaceAll("'", "'\\''")}'
JSON='Content-Type: application/json'
ANSWER=$(mktemp)
field () { tail -n 1 "$ANSWER" | node -p "JSON.parse(fs.readFileSync(0, 'utf8')).$1"; }
NORA="nora-$(date +%s)@example.com"
GRACE='${grace}'
LINUS='${linus}'
EXPIRED='${expired}'
`
}

/** A request, `as` the bearer of the token in a variable. */
function curl (path: string, { as, method, accept, json }: { as?: string, method?: string, accept?: string, json?: string } = {}): string {
  return [
    `curl -si "$API${path}"`,
    ...method === undefined ? [] : [`-X ${method}`],
    ...as === undefined ? [] : [`-H "Authorization: Bearer ${as}"`],
    ...accept === undefined ? [] : [`-H 'Accept: ${accept}'`],
    ...json === undefined ? [] : [`-H "$JSON" -d '${json}'`]
  ].join(' ')
}

/** The line, which also puts fields of its answer into variables. */
function keeping (line: string, fields: Record<string, string>): string {
  return [`${line} | tee "$ANSWER"`, ...Object.entries(fields).map(([variable, field]) => `${variable}=$(field ${field})`)].join('; ')
}

const credentials = (email: string, password: string): string => JSON.stringify({ email, password })
/** Of Nora, whose address is in a variable: the quotes end before it and begin again. */
const norasCredentials = (password: string): string => credentials("'$NORA'", password)
const signIn = (email: string, password: string): string => curl('/auth/login', { json: credentials(email, password) })
const norasSignIn = (password: string): string => curl('/auth/login', { json: norasCredentials(password) })
const seeded = ({ name, email, password, roles }: SeededPerson): Line =>
  [`${name} signs in, with the ${roles.length === 1 ? 'role' : 'roles'} ${roles.join(' and ')}: 200`, keeping(signIn(email, password), { [name.toUpperCase()]: 'access_token' })]
/** Waits for a mail, as people do, and takes the token from its last line. */
const mailed = (variable: string, kind: string): Line => [`until ${variable}=$(tail -n 1 "$MAILS/$NORA_ID-${kind}.txt" 2> /dev/null); do sleep 0.1; done`]

const first = 'first-day-at-work'
const second = 'second-thoughts-on-it'

const signingIn: Line[] = [
  seeded(ada),
  seeded(eddie),
  seeded(vera),
  ['A wrong password: 401 INVALID_CREDENTIALS', signIn(ada.email, 'tea-and-binoculars')],
  ['An address nobody has gets the same answer: 401 INVALID_CREDENTIALS', signIn("nobody-'$NORA'", 'tea-and-binoculars')]
]

const roles: Line[] = [
  ['Ada has the role admin: 200', curl('/admin', { as: '$ADA' })],
  ['Vera has not: 403 INSUFFICIENT_ROLES', curl('/admin', { as: '$VERA' })],
  ['Vera again, as problem+json: 403 INSUFFICIENT_ROLES', curl('/admin', { as: '$VERA', accept: 'application/problem+json' })],
  ['Eddie may see drafts as an editor: 200', curl('/drafts', { as: '$EDDIE' })],
  ['Ada has both roles that billing wants: 200', curl('/billing', { as: '$ADA' })],
  ['Eddie has neither: 403 INSUFFICIENT_ROLES', curl('/billing', { as: '$EDDIE' })],
  ['Ada reads the audit log, checked deep in the call stack: 200', curl('/audit', { as: '$ADA' })],
  ['Vera may not: 403 INSUFFICIENT_ROLES', curl('/audit', { as: '$VERA' })]
]

const groupsAndScopes: Line[] = [
  ['Grace is in the group staff: 200', curl('/team', { as: '$GRACE' })],
  ['Linus is a guest: 403 INSUFFICIENT_GROUPS', curl('/team', { as: '$LINUS' })],
  ['Grace has the scope for reports: 200', curl('/reports', { as: '$GRACE' })],
  ['Linus has not: 403 INSUFFICIENT_SCOPE', curl('/reports', { as: '$LINUS' })],
  ['Grace has the role and the group that the newsletter wants: 200', curl('/newsletter', { as: '$GRACE' })],
  ['Linus lacks the group: 403 INSUFFICIENT_GROUPS', curl('/newsletter', { as: '$LINUS' })],
  ['Eddie lacks it too: 403 INSUFFICIENT_GROUPS', curl('/newsletter', { as: '$EDDIE' })]
]

const refusals: Line[] = [
  ['Anyone may see what is public: 200', curl('/public')],
  ['Strangers are greeted: 200', curl('/greeting')],
  ['Eddie is greeted by name: 200', curl('/greeting', { as: '$EDDIE' })],
  ['Nobody is signed in: 401 MISSING_TOKEN', curl('/admin')],
  ['A token that has expired: 401 TOKEN_EXPIRED', curl('/admin', { as: '$EXPIRED' })],
  ['A token nobody signed: 401 TOKEN_INVALID', curl('/admin', { as: 'not.a.token' })],
  ['A header that is no credentials: 400 INVALID_AUTHORIZATION_HEADER', curl('/admin', { as: 'two words' })],
  ['A handler asks who it is: 401 MISSING_TOKEN', curl('/whoami')],
  ['Ada asks for a user that there is not: 404 USER_NOT_FOUND', curl('/users/nobody', { as: '$ADA' })],
  ['Vera writes a note: 201', curl('/notes', { as: '$VERA', json: '{"text":"hello"}' })],
  ['Vera writes an empty one: 400 REQUEST_INVALID', curl('/notes', { as: '$VERA', json: '{}' })],
  ['The body of a stranger is not even read: 401 MISSING_TOKEN', curl('/notes', { json: '{}' })]
]

const registering: Line[] = [
  ['A password that breaks several rules, all told at once: 400 REGISTER_INVALID_PASSWORD', curl('/auth/register', { json: norasCredentials('12345') })],
  ['Nora registers: 201', keeping(curl('/auth/register', { json: norasCredentials(first) }), { NORA_ID: 'id' })],
  ['Her address is taken now: 400 USER_ALREADY_EXISTS', curl('/auth/register', { json: norasCredentials(first) })],
  mailed('VERIFY', 'verify'),
  ['Nora verifies her address with the token of the mail: 200', curl('/auth/verify', { json: '{"token":"\'$VERIFY\'"}' })],
  ['The token works once: 400 VERIFY_USER_BAD_TOKEN', curl('/auth/verify', { json: '{"token":"\'$VERIFY\'"}' })]
]

const refresh = (variable: string): string => curl('/auth/refresh', { json: `{"refresh_token":"'${variable}'"}` })

const session: Line[] = [
  ['Nora signs in: 200', keeping(norasSignIn(first), { TOKEN: 'access_token', REFRESH: 'refresh_token' })],
  ['Nora asks who she is: 200', curl('/auth/me', { as: '$TOKEN' })],
  ['Nora takes a user name: 200', curl('/auth/me', { method: 'PATCH', as: '$TOKEN', json: '{"username":"\'$NORA_ID\'"}' })],
  ['Where she is signed in: 200', curl('/auth/sessions', { as: '$TOKEN' })],
  ['New tokens for the refresh token, which is used up: 200', keeping(refresh('$REFRESH'), { TOKEN: 'access_token', NEXT: 'refresh_token' })],
  ['Used again within ten seconds, in case the answer was lost: 200', refresh('$REFRESH')],
  ['Nora is no administrator: 403 INSUFFICIENT_ROLES', curl('/auth/users', { as: '$TOKEN' })],
  ['Nora signs out: 204', curl('/auth/logout', { method: 'POST', as: '$TOKEN' })],
  ['Her access token is dead at once: 401 TOKEN_REVOKED', curl('/auth/me', { as: '$TOKEN' })],
  ['And so is her refresh token: 401 TOKEN_REVOKED', refresh('$NEXT')]
]

const reset = (password: string): string => curl('/auth/password/reset', { json: `{"token":"'$RESET'","password":"${password}"}` })

const forgotten: Line[] = [
  ['Nora has forgotten her password: 202', curl('/auth/password/forgot', { json: '{"email":"\'$NORA\'"}' })],
  ['An address nobody has gets the same answer: 202', curl('/auth/password/forgot', { json: '{"email":"nobody-\'$NORA\'"}' })],
  mailed('RESET', 'reset'),
  ['A new one that is too easy leaves the token as it is: 400 RESET_PASSWORD_INVALID_PASSWORD', reset('password')],
  ['Nora sets a new one with the token of the mail: 204', reset(second)],
  ['The token works once: 400 RESET_PASSWORD_BAD_TOKEN', reset(second)],
  ['The old password is none any more: 401 INVALID_CREDENTIALS', norasSignIn(first)],
  ['Nora signs in with the new one: 200', keeping(norasSignIn(second), { TOKEN: 'access_token' })]
]

const setActive = (active: boolean): string => curl('/auth/users/$NORA_ID', { method: 'PATCH', as: '$ADA', json: JSON.stringify({ is_active: active }) })

const administration: Line[] = [
  ['Ada lists the users: 200', curl('/auth/users?limit=3', { as: '$ADA' })],
  ['Vera may not: 403 INSUFFICIENT_ROLES', curl('/auth/users', { as: '$VERA' })],
  ['Nora is deactivated: 200', setActive(false)],
  ['Nora was signed in, and is not any more: 401 ACCOUNT_UNAVAILABLE', curl('/auth/me', { as: '$TOKEN' })],
  ['Nor can she sign in, and the answer does not say why: 401 INVALID_CREDENTIALS', norasSignIn(second)],
  ['Nora is active again: 200', setActive(true)]
]

const lockedOut: Line[] = [
  [`for guess in 1 2 3 4 5; do ${norasSignIn("guess-'$guess'")}; echo; done`],
  ['Somebody guesses: not even the right password is looked at now: 429 RATE_LIMITED', norasSignIn(second)],
  ['The account of Nora is deleted: 204', curl('/auth/users/$NORA_ID', { method: 'DELETE', as: '$ADA' })]
]
