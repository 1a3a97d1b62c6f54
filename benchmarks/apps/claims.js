/** Who issues the tokens of the benchmark, and for whom. */
export const issuer = 'https://auth.example.com'
export const audience = 'my-api'

/** The claims every application asks for. */
export const requiredClaims = ['iss', 'aud', 'exp', 'sub']

/** The body of every accepted request. */
export const body = { ok: true }
