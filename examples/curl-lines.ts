import type { IdentityProvider } from './identity-provider.js'
import { ada, eddie, vera, type SeededPerson } from './seed.js'
import { shopSecret } from './signing.js'

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
    section('A second factor, but for what wants a code, which the account page shows', secondFactor),
    section('Step-up: a recent sign-in, or one with a second factor', stepUp),
    section('Sign-in at a provider, but for its pages, which a browser shows', elsewhere),
    section('Machines', machines),
    section('Signed links, and signed requests of other servers', signatures),
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
SHOP='${shopSecret}'
sha256 () { node -p "crypto.createHash('sha256').update(fs.readFileSync(0)).digest('base64')"; }
hmac () { node -p "crypto.createHmac('sha256', '$SHOP').update(fs.readFileSync(0)).digest('base64')"; }
`
}

/** A request, `as` the bearer of the token in a variable, or with `basic` credentials. */
function curl (path: string, { as, basic, method, accept, json }: { as?: string, basic?: string, method?: string, accept?: string, json?: string } = {}): string {
  return [
    `curl -si "$API${path}"`,
    ...method === undefined ? [] : [`-X ${method}`],
    ...basic === undefined ? [] : [`-u '${basic}'`],
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
const third = 'third-time-is-a-charm'

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

const secondFactor: Line[] = [
  ['None yet, and this says so: 200', curl('/auth/mfa', { as: '$TOKEN' })],
  ['Without a code there is nothing to sign in to: 400 INVALID_CHALLENGE', curl('/auth/login/challenge', { json: '{"session":"made-up","challenge_name":"MFA_TOTP","code":"123456"}' })],
  ['A secret for her authenticator application, which counts once a code was verified: 200', curl('/auth/mfa/totp', { method: 'POST', as: '$TOKEN' })],
  ['What is no code: 400 MFA_SETUP_FAILED', curl('/auth/mfa/totp/verify', { as: '$TOKEN', json: '{"code":"guess"}' })],
  ['Nor can what is not there be taken away: 400 MFA_SETUP_FAILED', curl('/auth/mfa/totp', { method: 'DELETE', as: '$TOKEN' })]
]

const stepUp: Line[] = [
  seeded(vera),
  ['Vera signed in during the last five minutes: 200', curl('/address-book', { as: '$VERA' })],
  ['When Grace did, her token does not say: 401 STEP_UP_REQUIRED', curl('/address-book', { as: '$GRACE' })],
  ['A password is one factor, and payouts want two: 401 STEP_UP_REQUIRED', curl('/payouts', { as: '$VERA' })]
]

// Of a verifier that nobody kept.
const challenge = 'code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

const elsewhere: Line[] = [
  ['To the page of Acme, with a cookie for the way back: 302', curl('/auth/oauth/acme/authorize')],
  ['The same for a page that keeps a verifier: 302', curl(`/auth/oauth/acme/authorize?redirect_to=$API/account&${challenge}`)],
  ['Back to a page that nobody allowed: 400 REQUEST_INVALID', curl(`/auth/oauth/acme/authorize?redirect_to=https://attacker.example/account&${challenge}`)],
  ['A provider that there is not: 400 REQUEST_INVALID', curl('/auth/oauth/nobody/authorize')],
  ['An answer of no sign-in that began here: 400 OAUTH_STATE_INVALID', curl('/auth/oauth/acme/callback?code=made-up&state=made-up')],
  ['Where Vera goes to link an account at Acme: 200', curl('/auth/oauth/acme/link', { method: 'POST', as: '$VERA' })],
  ['Nobody is signed in who could: 401 MISSING_TOKEN', curl('/auth/oauth/acme/link', { method: 'POST' })],
  ['What she has linked so far: 200', curl('/auth/oauth/accounts', { as: '$VERA' })]
]

const basicOf = ({ email, password }: SeededPerson): string => `${email}:${password}`

const machines: Line[] = [
  ['Eddie sends his password with the request: 200', curl('/machines', { basic: basicOf(eddie) })],
  ['Vera sends a token, which does as well: 200', curl('/machines', { as: '$VERA' })],
  ['A wrong password: 401 INVALID_CREDENTIALS', curl('/machines', { basic: `${eddie.email}:blue-pencil` })],
  ['No credentials: the answer offers both ways: 401 MISSING_TOKEN', curl('/machines')],
  ['A password with each request is no second factor: 401 STEP_UP_REQUIRED', curl('/payouts', { basic: basicOf(eddie) })]
]

const order = '{"total":42}'
const shopRequest = (body: string): string => `${curl('/hooks/shop', { json: body })} -H "Content-Digest: $DIGEST" -H "Signature-Input: sig1=$PARAMS" -H "Signature: sig1=:$SIGNATURE:"`

const signatures: Line[] = [
  ['Whoever is signed in can make a link that works for a minute: 200', keeping(curl('/monthly-report/link', { as: '$VERA' }), { LINK: 'url' })],
  ['It works without a token: 200', curl('$LINK')],
  ['With something added it does not: 400 BAD_SIGNATURE', curl('$LINK&month=august')],
  ['Nor does the page without a signature: 400 BAD_SIGNATURE', curl('/monthly-report?month=july')],
  // What a client signs, without any library: RFC 9421.
  [`DIGEST="sha-256=:$(printf %s '${order}' | sha256):"`],
  ['PARAMS="(\\"@method\\" \\"@path\\" \\"@query\\" \\"content-digest\\");created=$(date +%s);nonce=\\"$(node -p "crypto.randomUUID()")\\";keyid=\\"shop\\""'],
  ['SIGNATURE=$(printf \'"@method": POST\\n"@path": /hooks/shop\\n"@query": ?\\n"content-digest": %s\\n"@signature-params": %s\' "$DIGEST" "$PARAMS" | hmac)'],
  ['Not this order is what the shop has signed: 400 BAD_SIGNATURE', shopRequest('{"total":43}')],
  ['The shop sends its order: 200', shopRequest(order)],
  ['The same request works once: 400 BAD_SIGNATURE', shopRequest(order)]
]

const setActive = (active: boolean): string => curl('/auth/users/$NORA_ID', { method: 'PATCH', as: '$ADA', json: JSON.stringify({ is_active: active }) })

const administration: Line[] = [
  ['Ada lists the users: 200', curl('/auth/users?limit=3', { as: '$ADA' })],
  ['Vera may not: 403 INSUFFICIENT_ROLES', curl('/auth/users', { as: '$VERA' })],
  ['Nora is deactivated: 200', setActive(false)],
  ['Nora was signed in, and is not any more: 401 ACCOUNT_UNAVAILABLE', curl('/auth/me', { as: '$TOKEN' })],
  ['Nor can she sign in, and the answer does not say why: 401 INVALID_CREDENTIALS', norasSignIn(second)],
  ['Nora is active again: 200', setActive(true)],
  ['Nora gets a password for one sign-in: 200', curl('/auth/users/$NORA_ID', { method: 'PATCH', as: '$ADA', json: JSON.stringify({ password: first, must_change_password: true }) })],
  ['It is right, and another one is asked for before there are tokens: 202 NEW_PASSWORD_REQUIRED', keeping(norasSignIn(first), { CHALLENGE: 'session' })],
  ['Nora chooses it and is signed in: 200', curl('/auth/login/challenge', { json: `{"session":"'$CHALLENGE'","challenge_name":"NEW_PASSWORD_REQUIRED","new_password":"${third}"}` })],
  ['She has no second factor that could be taken away: 400 MFA_SETUP_FAILED', curl('/auth/users/$NORA_ID/mfa', { method: 'DELETE', as: '$ADA' })]
]

const lockedOut: Line[] = [
  [`for guess in 1 2 3 4 5; do ${norasSignIn("guess-'$guess'")}; echo; done`],
  ['Somebody guesses: not even the right password is looked at now: 429 RATE_LIMITED', norasSignIn(third)],
  ['The account of Nora is deleted: 204', curl('/auth/users/$NORA_ID', { method: 'DELETE', as: '$ADA' })]
]
