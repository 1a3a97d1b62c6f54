// The way to an account. The page knows no step by name: it shows what the hints ask for.

const $ = (id) => document.getElementById(id)
const sections = ['start', 'step', 'codes', 'done']

/** Of this tab alone, so that a reload goes on where the flow stands; it is worth nothing once the flow is complete. */
const SESSION = 'onboarding-session'
/** The step that is asked for. */
let current

class Refusal extends Error {
  constructor ({ detail, extra }, fallback) {
    super(detail ?? fallback)
    this.code = extra?.code
    this.errors = extra?.errors ?? []
  }
}

/** Sends a request. Throws a {@link Refusal} that has the sentence and the code of the answer. */
async function call (method, path, body, accessToken) {
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
  $('code-list').replaceChildren()
  showSecret()
  tell()
  $(`${section}-title`).focus()
}

function tell (text = '') {
  $('problem').textContent = text
  $('problem').hidden = text === ''
}

/** Does what a form or a button is for, once at a time, and tells what went wrong. */
function when (element, event, work) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault()
    if (document.body.ariaBusy === 'true') return
    document.body.ariaBusy = 'true'
    tell()
    try {
      await work()
    } catch (error) {
      await refused(error)
    } finally {
      document.body.ariaBusy = 'false'
    }
  })
}

async function refused (error) {
  // The session is over, in one way or another.
  if (['ONBOARDING_SESSION_EXPIRED', 'ONBOARDING_SESSION_INVALID', 'ONBOARDING_FLOW_COMPLETE'].includes(error.code)) startOver()
  const sentences = error.errors.map((each) => each.message ?? each)
  tell(error.code === 'USER_ALREADY_EXISTS' ? 'This address, or this user name, is taken: sign in instead, or choose another name.' : (sentences.length > 0 ? sentences : [error.message]).join(' '))
}

function startOver () {
  sessionStorage.removeItem(SESSION)
  $('progress').hidden = true
  show('start')
}

/** A step, or the end. */
async function goOn (answer) {
  showProgress(answer)
  const codes = answer.shown?.recovery_codes
  if (codes !== undefined) return showCodes(codes, answer)
  if (answer.status === 'in_progress') return answer.hint === null ? await advance({}) : ask(answer)
  sessionStorage.removeItem(SESSION)
  // A challenge, or nobody to sign in: that is what the other page is for.
  if (answer.access_token === undefined) return window.location.assign('/account')
  const { email } = await call('GET', '/me', undefined, answer.access_token)
  show('done')
  $('who').textContent = email
}

function showProgress ({ completed_steps: completed, skipped_steps: skipped, remaining_steps: remaining = [], current_step: step }) {
  $('progress').hidden = false
  $('progress').replaceChildren(...[...completed.map((name) => [name, 'done']), ...skipped.map((name) => [name, 'skipped']), ...remaining.map((name) => [name, 'left'])].map(([name, state]) => {
    const item = document.createElement('li')
    item.className = state
    item.textContent = `${name.replaceAll('_', ' ')}: ${state}`
    if (name === step) item.ariaCurrent = 'step'
    return item
  }))
}

function ask ({ current_step: step, hint, shown }) {
  current = step
  show('step')
  const mailed = step === 'verify_email'
  $('step-title').textContent = hint.title
  $('step-description').textContent = hint.description ?? ''
  $('fields').replaceChildren(...hint.fields.map(fieldOf))
  const asksForCode = hint.fields.some(({ type }) => type === 'code')
  $('go-on').textContent = mailed && !asksForCode ? 'Send the code' : 'Go on'
  $('again').hidden = !asksForCode
  $('again').textContent = mailed ? 'Send another code' : 'Show another secret'
  $('skip').hidden = !hint.skippable
  $('mailbox-note').hidden = !(mailed && asksForCode)
  if (shown?.secret !== undefined) showSecret(shown)
}

const AUTOCOMPLETE = { password: 'new-password', username: 'username', code: 'one-time-code' }

/** A field of a form, as the hint describes it. */
function fieldOf ({ name, type, label: text, required, options }) {
  const field = document.createElement(type === 'select' ? 'select' : 'input')
  Object.assign(field, { name, required, autocomplete: AUTOCOMPLETE[name] ?? 'on' })
  if (type === 'hidden') return Object.assign(field, { type, value: options[0] })
  if (type === 'select') field.append(...[...required ? [] : [''], ...options].map(optionOf))
  else if (type === 'code') Object.assign(field, { type: 'text', inputMode: 'numeric', spellcheck: false })
  else field.type = type
  const label = document.createElement('label')
  if (type === 'checkbox') {
    label.className = 'tick'
    label.append(field, text)
    return label
  }
  const note = document.createElement('small')
  note.textContent = required ? '' : ' (may be left out)'
  label.append(text, note, field)
  return label
}

function optionOf (value) {
  return Object.assign(document.createElement('option'), { value, textContent: value })
}

/** What was typed, in the types that JSON has. */
function typed () {
  const entries = [...$('fields').querySelectorAll('input, select')].map(({ name, type, value, checked }) => [name, type === 'checkbox' ? checked : type === 'number' ? Number(value) : value, value])
  return Object.fromEntries(entries.filter(([, , value]) => value !== ''))
}

function showSecret ({ secret = '', otpauth_uri: uri, qr_code: svg } = {}) {
  $('secret').hidden = secret === ''
  // As an image, whatever is in it is a picture: scripts of an SVG run only where it is part of the page.
  if (secret !== '') $('picture').src = `data:image/svg+xml,${encodeURIComponent(svg)}`
  else $('picture').removeAttribute('src')
  if (secret !== '') $('link').href = uri
  else $('link').removeAttribute('href')
  $('secret-text').textContent = secret.replace(/.{4}(?=.)/g, '$& ')
}

function showCodes (codes, { shown, ...next }) {
  show('codes')
  $('code-list').replaceChildren(...codes.map((code) => {
    const item = document.createElement('li')
    item.textContent = code
    return item
  }))
  $('kept').onclick = () => { goOn(next).catch(refused) }
}

const session = () => sessionStorage.getItem(SESSION)
const advance = async (data) => await goOn(await call('POST', '/onboarding/advance', { session: session(), ...current !== undefined && { step: current }, data }))
const formOf = (section) => $(section).querySelector('form')

when(formOf('start'), 'submit', async () => {
  const { session, ...answer } = await call('POST', '/onboarding/start', { email: $('email').value })
  sessionStorage.setItem(SESSION, session)
  await goOn(answer)
})
when(formOf('step'), 'submit', async () => await advance(typed()))
when($('again'), 'click', async () => await advance({}))
when($('skip'), 'click', async () => await goOn(await call('POST', '/onboarding/skip', { session: session(), step: current })))
when($('start-over'), 'click', startOver)

if (session() === null) startOver()
else await call('POST', '/onboarding/resume', { session: session() }).then(goOn).catch(refused)
