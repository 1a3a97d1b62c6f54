import t from 'tap'
import type { Page } from 'playwright-core'
import decodeQR from 'qr/decode.js'
import { ada, eddie, vera, type SeededPerson } from '../../examples/seed.js'
import { codeOf } from '../totp.js'
import { arrived, openPage, press, smuggle, viewport, write } from './browser.js'
import { builtServer } from './built-server.js'
import { noChromium } from './programs.js'

// A person and a browser: what is set up with the mouse and the keyboard, and what is seen of it.

const problem = async (page: Page): Promise<string | null> => await page.locator('#problem-text').textContent()

async function signIn (page: Page, { name }: SeededPerson): Promise<void> {
  await arrived(page, 'Sign in')
  await press(page, name)
  await press(page, 'Sign in')
}

async function setUp (page: Page): Promise<string> {
  await arrived(page, 'Signed in')
  await press(page, 'Set up an authenticator application')
  await arrived(page, 'Set up an authenticator application')
  return (await page.locator('#secret').textContent() ?? '').replaceAll(' ', '')
}

/** What a telephone reads when it is held before the screen: from the pixels that are seen. */
async function scanned (page: Page): Promise<string> {
  const png = (await page.getByRole('img').screenshot()).toString('base64')
  // Taken apart by a browser, in another page: this one allows no scripts of others.
  const other = await page.context().newPage()
  try {
    const { width, height, data } = await other.evaluate(PIXELS.replace('PNG', png)) as { width: number, height: number, data: number[] }
    return decodeQR({ width, height, data: Uint8Array.from(data) }, { timeLimit: 5000 })
  } finally {
    await other.close()
  }
}

const PIXELS = `(async () => {
  const image = new Image()
  image.src = 'data:image/png;base64,PNG'
  await image.decode()
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height })
  const context = canvas.getContext('2d')
  context.drawImage(image, 0, 0)
  return { width: image.width, height: image.height, data: [...context.getImageData(0, 0, image.width, image.height).data] }
})()`

t.test('the page of second factors, in a browser', { skip: await noChromium() }, async (t) => {
  const { origin, send } = await builtServer(t)
  const { page, complaints, asked } = await openPage(t, origin, '/account')

  await t.test('a wrong password is told, and nothing else happens', async (t) => {
    await write(page, 'E-mail address', eddie.email)
    await write(page, 'Password', 'blue-pencil')
    await press(page, 'Sign in')
    await page.getByRole('alert').waitFor()
    t.equal(await problem(page), 'Invalid credentials')
    t.ok(await page.getByRole('heading', { name: 'Sign in' }).isVisible())
  })

  let secret = ''
  let codes: string[] = []

  await t.test('set-up: the QR code is the link, the secret is that of the link', async (t) => {
    await signIn(page, eddie)
    secret = await setUp(page)
    const link = await page.getByRole('link', { name: 'open it on this phone' }).getAttribute('href') ?? ''
    t.equal(await scanned(page), link)
    const { protocol, searchParams } = new URL(link)
    t.equal(protocol, 'otpauth:')
    t.equal(searchParams.get('secret'), secret)
    t.match(await page.getByRole('img').getAttribute('src'), /^data:image\/svg\+xml,/)

    await write(page, 'The code that the application shows', 'guess')
    await press(page, 'Confirm')
    await page.getByRole('alert').waitFor()
    t.equal(await problem(page), 'MFA setup failed')
    await write(page, 'The code that the application shows', codeOf(secret))
    await press(page, 'Confirm')
    await arrived(page, 'Your recovery codes')
    codes = await page.getByRole('listitem').allTextContents()
    t.equal(new Set(codes).size, 10)
    for (const code of codes) t.match(code, /^[0-9a-z]{4}(-[0-9a-z]{4}){5}$/)
  })

  await t.test('codes and secret are shown once', async (t) => {
    await press(page, 'I have kept them')
    await arrived(page, 'Signed in')
    t.match(await page.locator('main').innerText(), /You have a second factor, and 10 recovery codes/)
    const source = await page.content()
    for (const secretText of [secret, codes[0] ?? '', 'otpauth:']) t.notOk(source.includes(secretText))
    t.notOk(await page.getByRole('button', { name: 'Set up an authenticator application' }).isVisible())
  })

  await t.test('signing in again asks for a code', async (t) => {
    await press(page, 'Sign out')
    await signIn(page, eddie)
    await arrived(page, 'Your second factor')
    await write(page, 'The code that the application shows', 'guess')
    await press(page, 'Go on')
    await page.getByRole('alert').waitFor()
    t.equal(await problem(page), 'Invalid or expired challenge')
    // The next step's: that of now is used up. The same challenge can be answered again.
    await write(page, 'The code that the application shows', codeOf(secret, 30))
    await page.keyboard.press('Enter')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText(eddie.email).isVisible())
  })

  await t.test('or for a recovery code', async (t) => {
    await press(page, 'Sign out')
    await signIn(page, eddie)
    await arrived(page, 'Your second factor')
    await press(page, 'Use a recovery code')
    await arrived(page, 'A recovery code')
    t.ok(await page.getByRole('button', { name: 'Use the application' }).isVisible(), 'and back')
    await write(page, 'Recovery code', (codes[0] ?? '').toUpperCase())
    await press(page, 'Go on')
    await arrived(page, 'Signed in')
    t.match(await page.locator('main').innerText(), /9 recovery codes/)
  })

  await t.test('taken away, it is asked for no more', async (t) => {
    await press(page, 'Remove the second factor')
    await page.getByText('You have no second factor.').waitFor()
    await press(page, 'Sign out')
    await signIn(page, eddie)
    await arrived(page, 'Signed in')
    t.ok(await page.getByText('You have no second factor.').isVisible())
    await press(page, 'Sign out')
  })

  await t.test('a challenge, and a set-up, that nobody goes on with', async (t) => {
    await signIn(page, vera)
    const abandoned = await setUp(page)
    t.ok(abandoned)
    await press(page, 'Not now')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText('You have no second factor.').isVisible())
    await press(page, 'Sign out')
  })

  await t.test('after a sign-in of long ago the password is asked for', async (t) => {
    await signIn(page, vera)
    await arrived(page, 'Signed in')
    t.notOk(await page.getByRole('textbox', { name: 'Current password' }).isVisible())
    // Ten minutes are too long for a test.
    const body = { status_code: 401, detail: 'Recent stronger authentication is required.', extra: { code: 'STEP_UP_REQUIRED', max_age: 600 } }
    await page.route('**/auth/mfa/totp', async (route) => { await route.fulfill({ status: 401, json: body }) }, { times: 1 })
    await press(page, 'Set up an authenticator application')
    await page.getByRole('alert').waitFor()
    t.equal(await problem(page), body.detail)
    await write(page, 'Current password', 'tea-and-binoculars')
    await press(page, 'Set up an authenticator application')
    await page.getByText('The provided password is invalid.').waitFor()
    await write(page, 'Current password', vera.password)
    t.ok(await setUp(page))
    await press(page, 'Not now')
    await arrived(page, 'Signed in')
    await press(page, 'Sign out')
  })

  await t.test('a password for one sign-in only', async (t) => {
    const tokenOf = async ({ email, password }: SeededPerson): Promise<string | undefined> => (await send('POST', '/auth/login', { email, password })).body.access_token
    const { body: { id } } = await send('GET', '/auth/me', undefined, await tokenOf(vera))
    t.equal((await send('PATCH', `/auth/users/${id}`, { must_change_password: true }, await tokenOf(ada))).status, 200)
    await signIn(page, vera)
    await arrived(page, 'A new password')
    await write(page, 'New password', '12345')
    await press(page, 'Go on')
    await page.getByRole('alert').waitFor()
    t.match(await problem(page), /at least 8 characters/)
    await write(page, 'New password', 'field-glasses-and-coffee')
    await press(page, 'Go on')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText(vera.email).isVisible())
  })

  await t.test('on a small telephone nothing is cut off, and the browser has nothing to complain of', async (t) => {
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), viewport.width)
    t.strictSame(complaints, [])
    t.strictSame([...asked], [origin], 'nobody else is asked for anything')
  })

  await t.test('every field has a label, and is what it is for', async (t) => {
    const fields = await page.evaluate('[...document.querySelectorAll("input")].map((field) => [field.id, field.labels.length, field.autocomplete])') as Array<[string, number, string]>
    t.ok(fields.length > 4)
    for (const [id, labels, autocomplete] of fields) t.ok(labels === 1 && autocomplete !== '', id)
  })
})

t.test('attack: a script that somebody smuggled into the page does not run', { skip: await noChromium() }, async (t) => {
  const { origin } = await builtServer(t)
  const { page } = await openPage(t, origin, '/account')
  t.equal(await smuggle(page), undefined)
})
