// The page of a person's account. It talks to the routes of accounts as any client does.

import { cameBack, prepare } from './providers.js'

const $ = (id) => document.getElementById(id)
const sections = ['sign-in', 'challenge', 'signed-in', 'scan', 'codes']

/** In memory alone, but on the way to a provider and back: whoever reloads the page signs in again, and no other script of this origin finds a token later. */
let accessToken
/** The challenge that waits for its answer. */
let challenge
/** Of the buttons about linked accounts. */
let lastPressed

/** How each challenge is asked for, and under which name its answer is sent. */
const CHALLENGES = {
  MFA_TOTP: { title: 'Your second factor', help: 'Open your authenticator application.', label: 'The code that the application shows', other: 'Use the application', field: 'code', input: { type: 'text', inputMode: 'numeric', autocomplete: 'one-time-code' } },
  RECOVERY_CODE: { title: 'A recovery code', help: 'One of the ten that you have kept. It works once.', label: 'Recovery code', other: 'Use a recovery code', field: 'code', input: { type: 'text', inputMode: 'text', autocomplete: 'off' } },
  NEW_PASSWORD_REQUIRED: { title: 'A new password', help: 'Your password was for one sign-in only. Choose another.', label: 'New password', field: 'new_password', input: { type: 'password', inputMode: 'text', autocomplete: 'new-password' } }
}

/** Providers, as people call them. */
const NAMES = { acme: 'Acme' }

class Refusal extends Error {
  constructor ({ detail, extra }, fallback) {
    super(detail ?? fallback)
    this.code = extra?.code
    this.errors = extra?.errors ?? []
  }
}

/** Sends a request. Throws a {@link Refusal} that has the sentence and the code of the answer. */
async function call (method, path, body) {
  const response = await fetch(`/auth${path}`, {
    method,
    headers: {
      ...accessToken !== undefined && { authorization: `Bearer ${accessToken}` },
      ...body !== undefined && { 'content-type': 'application/json' }
    },
    body: JSON.stringify(body),
    credentials: 'omit'
  }).catch(() => { throw new Refusal({}, 'The server cannot be reached.') })
  const text = await response.text()
  const answer = text === '' ? {} : JSON.parse(text)
  if (!response.ok) throw new Refusal(answer, `The server answered ${response.status}.`)
  return answer
}

/** Shows one section. What was typed into the others, and what they showed, is gone. */
function show (section) {
  for (const id of sections) $(id).hidden = id !== section
  for (const form of document.forms) form.reset()
  for (const proof of document.querySelectorAll('.proof')) proof.hidden = true
  if (section !== 'codes') $('code-list').replaceChildren()
  if (section !== 'scan') for (const [id, attribute] of [['picture', 'src'], ['link', 'href']]) $(id).removeAttribute(attribute)
  if (section !== 'scan') $('secret').textContent = ''
  tell()
  $(`${section}-title`).focus()
}

function tell (text = '', code = '') {
  $('problem-text').textContent = text
  $('problem-code').textContent = code
  $('problem').hidden = text === ''
}

/** Does what a form or a button is for, once at a time, and tells what went wrong. */
function when (element, event, work) {
  let busy = false
  element.addEventListener(event, async (happened) => {
    happened.preventDefault()
    if (busy) return
    busy = true
    tell()
    try {
      await work(happened)
    } catch (error) {
      refused(error, element)
    } finally {
      busy = false
    }
  })
}

function refused (error, element) {
  // A token that has expired, or that was ended elsewhere.
  if (accessToken !== undefined && ['TOKEN_EXPIRED', 'TOKEN_REVOKED', 'ACCOUNT_UNAVAILABLE', 'AUTHENTICATION_FAILED'].includes(error.code)) leave()
  // The sign-in was long ago, or without the second factor: something has to show that it is still the same person.
  const proof = error.code === 'STEP_UP_REQUIRED' && element.closest('form')?.querySelector('.proof')
  if (proof) proof.hidden = false
  tell([error.message, ...(error.errors ?? []).map((each) => each.message ?? each)].join(' '), error.code)
  if (proof) proof.querySelector('input').focus()
}

const typed = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''))

function leave () {
  accessToken = undefined
  show('sign-in')
}

/** Tokens, or 202 and a challenge. */
async function goOn (answer) {
  if (answer.challenge_name === undefined) {
    accessToken = answer.access_token
    await showAccount()
    return
  }
  challenge = answer
  ask(answer.challenge_name)
}

function ask (name) {
  const asked = CHALLENGES[name]
  if (asked === undefined) throw new Error(`This page does not know the challenge ${name}.`)
  show('challenge')
  challenge = { ...challenge, challenge_name: name }
  $('challenge-title').textContent = asked.title
  $('challenge-help').textContent = asked.help
  document.querySelector('label[for=answer]').textContent = asked.label
  Object.assign($('answer'), asked.input)
  const other = challenge.mfa_types?.find((type) => type !== name && type in CHALLENGES)
  $('other-way').hidden = other === undefined
  $('other-way').textContent = other === undefined ? '' : CHALLENGES[other].other
  $('other-way').value = other ?? ''
  $('answer').focus()
}

async function showAccount () {
  const [{ email }, { totp, recovery_codes_left: left }, { items }] = await Promise.all([call('GET', '/me'), call('GET', '/mfa'), call('GET', '/oauth/accounts')])
  show('signed-in')
  $('who').textContent = email
  $('factor').textContent = totp ? `You have a second factor, and ${left} recovery ${left === 1 ? 'code' : 'codes'}.` : 'You have no second factor.'
  $('set-up').hidden = totp
  $('remove').hidden = !totp
  $('linked-list').replaceChildren(...items.length === 0 ? ['None.'] : items.map(linkedItem))
  // Where there is a second factor, the password alone changes nothing.
  $('linked-label').textContent = totp ? 'A code of the application, or a recovery code' : 'Current password'
  Object.assign($('linked-proof'), totp ? { name: 'code', type: 'text', autocomplete: 'one-time-code' } : { name: 'current_password', type: 'password', autocomplete: 'current-password' })
}

function linkedItem ({ provider, account_id: accountId, email, linked_at: linkedAt }) {
  const item = document.createElement('li')
  const button = document.createElement('button')
  Object.assign(button, { type: 'button', textContent: 'Unlink' })
  Object.assign(button.dataset, { provider, accountId })
  item.append(`${email ?? accountId} at ${NAMES[provider] ?? provider}, since ${new Date(linkedAt).toLocaleDateString()} `, button)
  return item
}

/** Ends what was under way at a provider: a sign-in goes on as any other does, a link is seen in the list. */
async function comeBack () {
  const back = cameBack()
  if (back === undefined) return
  const { kept: { provider, token }, answer, denied } = back
  try {
    if (denied) throw new Error(`You came back from ${NAMES[provider]} without signing in there.`)
    const ended = await call('POST', `/oauth/${provider}/callback`, answer)
    if (token === undefined) return await goOn(ended)
  } catch (error) {
    if (token === undefined) throw error
    accessToken = token
    await showAccount()
    throw error
  }
  accessToken = token
  await showAccount()
}

function showSecret ({ secret, otpauth_uri: uri, qr_code: svg }) {
  show('scan')
  // As an image, whatever is in it is a picture: scripts of an SVG run only where it is part of the page.
  $('picture').src = `data:image/svg+xml,${encodeURIComponent(svg)}`
  $('link').href = uri
  $('secret').textContent = secret.replace(/.{4}(?=.)/g, '$& ')
}

function showCodes (codes) {
  show('codes')
  $('code-list').replaceChildren(...codes.map((code) => {
    const item = document.createElement('li')
    item.textContent = code
    return item
  }))
}

const formOf = (section) => $(section).querySelector('form')

$('people').addEventListener('click', ({ target: { dataset } }) => {
  if (dataset.email === undefined) return
  $('email').value = dataset.email
  $('password').value = dataset.password
})
when(formOf('sign-in'), 'submit', async () => await goOn(await call('POST', '/login', typed(formOf('sign-in')))))
when(formOf('challenge'), 'submit', async () => {
  const { session, challenge_name: name } = challenge
  await goOn(await call('POST', '/login/challenge', { session, challenge_name: name, [CHALLENGES[name].field]: $('answer').value }))
})
when($('other-way'), 'click', () => ask($('other-way').value))
when($('start-again'), 'click', leave)
when($('set-up'), 'submit', async () => showSecret(await call('POST', '/mfa/totp', typed($('set-up')))))
when(formOf('scan'), 'submit', async () => showCodes((await call('POST', '/mfa/totp/verify', typed(formOf('scan')))).recovery_codes))
when($('not-now'), 'click', showAccount)
when($('kept'), 'click', showAccount)
when($('remove'), 'submit', async () => {
  await call('DELETE', '/mfa/totp', typed($('remove')))
  await showAccount()
})
when($('sign-out'), 'click', async () => {
  await call('POST', '/logout')
  leave()
})
when($('acme'), 'click', async () => window.location.assign(`/auth/oauth/acme/authorize?${new URLSearchParams(await prepare({ provider: 'acme' }))}`))
when($('link-acme'), 'click', async () => {
  const { authorization_url: url } = await call('POST', '/oauth/acme/link', { ...await prepare({ provider: 'acme', token: accessToken }), ...typed($('linked')) })
  window.location.assign(url)
})
when($('linked-list'), 'click', async ({ target: { dataset: { provider, accountId } } }) => {
  if (provider === undefined) return
  await call('DELETE', `/oauth/${provider}?${new URLSearchParams({ account_id: accountId })}`, typed($('linked')))
  await showAccount()
})
// With the proof that was asked for, the same again.
when($('linked'), 'submit', () => lastPressed.click())
$('linked').addEventListener('click', ({ target }) => { if (target.type === 'button') lastPressed = target })
comeBack().catch((error) => refused(error, document.body))
