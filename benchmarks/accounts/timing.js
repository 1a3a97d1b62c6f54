import { startClient, startServer, withChildren } from './child.js'
import { comparePairs, hull, judge, shuffled } from './inference.js'

const PASSWORD = 'correct horse battery staple'
const WRONG = 'incorrect horse battery stap'
/** The least that is allowed: the less a hash takes, the less it hides. */
const CHEAP = { memoryCost: 7168, timeCost: 5, parallelism: 1 }
const WARM_UP = 15

/** In fullwidth letters: NFKC makes the same password of them. */
const fullwidth = (text) => text.replace(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0))

/** Addresses of the same length; no two pairs share one, so that each request is the first for its account. */
const address = (kind, side, index) => `${kind}.${side}.${String(index).padStart(5, '0')}@example.com`
const addresses = (kind, side, count) => Array.from({ length: count }, (_, index) => address(kind, side, index))

const post = (path, body, expected, more) => ({ method: 'POST', path: `/auth${path}`, body, expected, ...more })

/**
 * What an attacker must not be able to tell apart, in families that share a
 * server. Of each kind the first side is what it is compared with; controls
 * have the same on both sides.
 */
export function families ({ pairs, fewPairs }) {
  return [
    signInFamily('Sign-in, cheapest hash', { pairs, argon2: CHEAP, controls: 3, spelling: true }),
    signInFamily('Sign-in, default hash', { pairs: fewPairs, controls: 2 }),
    lockedFamily(pairs),
    mailFamily('/password/forgot', pairs, { isVerified: true }),
    mailFamily('/verify/request', pairs, { isVerified: false }),
    registerFamily(pairs)
  ]
}

function signInFamily (title, { pairs, argon2, controls, spelling = false }) {
  const count = pairs + WARM_UP
  const login = (email, password) => [post('/login', { email, password }, 401)]
  const wrong = (kind, side) => (index) => login(address(kind, side, index), WRONG)
  const right = (kind, password = PASSWORD) => (index) => login(address(kind, 'b', index), password)
  const known = (kind, sides) => sides.map((side) => ({ emails: addresses(kind, side, count), password: PASSWORD }))
  const against = (name, kind, people, second, first = wrong(kind, 'a')) => ({ name, first, second, people: [...known(kind, ['a']), ...people] })
  const stored = (kind, changes) => [{ emails: addresses(kind, 'b', count), password: PASSWORD, ...changes }]
  return {
    title: `${title}, against a wrong password`,
    pairs,
    settings: { argon2, plugin: { requireVerified: true } },
    kinds: [
      ...Array.from({ length: controls }, (_, index) => ({ name: `control ${index + 1}: wrong password`, control: true, people: known(`con${index}`, ['a', 'b']), first: wrong(`con${index}`, 'a'), second: wrong(`con${index}`, 'b') })),
      against('unknown account', 'unkn', [], wrong('unkn', 'b')),
      against('inactive, right password', 'inac', stored('inac', { isActive: false }), right('inac')),
      against('unverified, right password', 'unve', stored('unve', { isVerified: false }), right('unve')),
      ...spelling
        ? [
            against('without a password', 'none', stored('none', { password: null }), wrong('none', 'b')),
            against('inactive, right password in other letters', 'spel', stored('spel', { isActive: false }), right('spel', fullwidth(PASSWORD)), (index) => login(address('spel', 'a', index), fullwidth(WRONG)))
          ]
        : []
    ]
  }
}

function lockedFamily (pairs) {
  const accounts = 5
  const attempts = 5
  const locked = (kind, side) => (index) => [post('/login', { email: address(kind, side, index % accounts), password: PASSWORD }, 429)]
  const people = (kind, sides) => sides.map((side) => ({ emails: addresses(kind, side, accounts), password: PASSWORD }))
  const kinds = [
    ...Array.from({ length: 3 }, (_, index) => ({ name: `control ${index + 1}: known account`, control: true, people: people(`con${index}`, ['a', 'b']), first: locked(`con${index}`, 'a'), second: locked(`con${index}`, 'b') })),
    { name: 'unknown account', people: people('unkn', ['a']), first: locked('unkn', 'a'), second: locked('unkn', 'b') }
  ]
  const everyone = [...kinds.keys()].flatMap((index) => ['a', 'b'].flatMap((side) => addresses(index < 3 ? `con${index}` : 'unkn', side, accounts)))
  return {
    title: 'Sign-in while locked out (429), against a known account',
    pairs,
    pause: 2,
    settings: { argon2: CHEAP },
    before: everyone.flatMap((email) => Array.from({ length: attempts }, () => post('/login', { email, password: WRONG }, 401))),
    kinds
  }
}

/** Mails are sent after the answer: a pause lets that end, and `next` looks at the request that comes without one. */
function mailFamily (path, pairs, { isVerified }) {
  const count = pairs + WARM_UP
  const ask = (kind, side) => (index) => [post(path, { email: address(kind, side, index) }, 202)]
  const next = (kind, side) => (index) => [...ask(kind, side)(index), { path: '/me', expected: 401, atOnce: true }]
  const people = (kind, changes) => [{ emails: addresses(kind, 'b', count), password: PASSWORD, isVerified, ...changes }]
  return {
    title: `${path}, against an unknown address`,
    pairs,
    pause: 4,
    settings: { argon2: CHEAP },
    kinds: [
      ...Array.from({ length: 3 }, (_, index) => ({ name: `control ${index + 1}: unknown address`, control: true, people: [], first: ask(`con${index}`, 'a'), second: ask(`con${index}`, 'b') })),
      { name: 'known address', people: people('know'), first: ask('know', 'a'), second: ask('know', 'b') },
      { name: 'known address, inactive', people: people('inac', { isActive: false }), first: ask('inac', 'a'), second: ask('inac', 'b') },
      { name: 'known address: the next request, at once', next: true, people: people('next'), first: next('next', 'a'), second: next('next', 'b') }
    ]
  }
}

function registerFamily (pairs) {
  const count = pairs + WARM_UP
  const register = (kind, side) => (index) => [post('/register', { email: address(kind, side, index), password: PASSWORD }, 202)]
  return {
    title: '/register with concealExistingUsers, against a free address',
    pairs,
    pause: 4,
    settings: { argon2: CHEAP, plugin: { concealExistingUsers: true, requireVerified: true } },
    kinds: [
      ...Array.from({ length: 3 }, (_, index) => ({ name: `control ${index + 1}: free address`, control: true, people: [], first: register(`con${index}`, 'a'), second: register(`con${index}`, 'b') })),
      { name: 'taken address', people: [{ emails: addresses('take', 'b', count), password: PASSWORD }], first: register('take', 'a'), second: register('take', 'b') }
    ]
  }
}

/** Measures one family: every round has a pair of each kind, all halves in random order. Times are in microseconds. */
export async function measureTiming (family, { build, say }) {
  return await withChildren(async (child) => {
    const server = child(await startServer('accounts/application.js', { build, ...family.settings }))
    const client = child(startClient())
    const { port } = server
    for (const people of family.kinds.flatMap((kind) => kind.people)) await server.call('people', people)
    const send = async (requests) => {
      const answers = await client.ask('sequence', { port, requests, pause: family.pause })
      for (const [place, [status]] of answers.entries()) {
        if (status !== requests[place].expected) throw new Error(`${family.title}: ${status} was not expected`)
      }
      return answers.map(([, nanoseconds]) => nanoseconds / 1e3)
    }
    await send(family.before ?? [])
    const pairs = family.kinds.map(() => [])
    for (let round = -WARM_UP; round < family.pairs; round++) {
      if (round % 10 === 0) say(`${family.title}: ${Math.max(0, round)} of ${family.pairs} pairs`)
      // All of a round, not pair by pair: what a request leaves to be done afterwards would slow down the other half of its own pair.
      const order = shuffled(family.kinds.flatMap((_, kind) => ['first', 'second'].map((side) => ({ kind, side }))))
      const sides = order.map(({ kind, side }) => ({ kind, side, requests: family.kinds[kind][side](round + WARM_UP) }))
      const times = await send(sides.flatMap(({ requests }) => requests))
      const pair = family.kinds.map(() => [])
      let place = -1
      for (const { kind, side, requests } of sides) {
        place += requests.length
        pair[kind][side === 'first' ? 0 : 1] = times[place]
      }
      if (round >= 0) pair.forEach((both, kind) => { pairs[kind].push(both) })
    }
    return conclude(family, pairs)
  })
}

function conclude ({ title, kinds }, pairs) {
  const compared = kinds.map(({ name, control = false, next = false }, index) => ({ name, control, next, ...comparePairs(pairs[index]), times: pairs[index] }))
  const controls = compared.filter(({ control }) => control)
  const looks = compared.length - controls.length
  return { title, band: hull(controls), kinds: compared.map((kind) => ({ ...kind, verdict: kind.control ? undefined : judge(kind, controls, looks) })) }
}
