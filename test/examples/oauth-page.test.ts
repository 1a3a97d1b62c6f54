import t, { type Test } from 'tap'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type BrowserContext, type Page, type Response } from 'playwright-core'
import { ada, eddie, type SeededPerson } from '../../examples/seed.js'
import { codeOf } from '../totp.js'
import { builtServer } from './built-server.js'
import { chromiumPath, noChromium } from './programs.js'

// Sign-in at a provider as it happens: a browser, the pages of a real provider, the redirects between.

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const CODE = 'The code that the application shows'

/** What the application sent to the browser: headers, and a body where there is one. */
interface Heard { method: string, path: string, status: number, text: string }

interface Browser {
  context: BrowserContext
  page: Page
  /** All that the application answered so far. */
  heard (): Promise<Heard[]>
  complaints: string[]
}

/** A browser of somebody's own, with nothing in it. */
async function browser (t: Test, origin: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'oauth-page-'))
  t.teardown(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }))
  const context = await chromium.launchPersistentContext(profile, { executablePath: chromiumPath, args: ARGUMENTS, viewport: { width: 360, height: 740 } })
  t.teardown(() => context.close())
  context.setDefaultTimeout(20_000)
  const [answers, complaints]: [Array<Promise<Heard>>, string[]] = [[], []]
  context.on('response', (response) => { if (new URL(response.url()).port === new URL(origin).port) answers.push(heardOf(response)) })
  const page = await context.newPage()
  page.on('pageerror', (error) => { complaints.push(error.message) })
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  return { context, page, heard: () => Promise.all(answers), complaints }
}

async function heardOf (response: Response): Promise<Heard> {
  const headers = JSON.stringify(await response.allHeaders())
  // A redirect has no body, and that of a page that was left is gone.
  const body = await response.text().catch(() => '')
  return { method: response.request().method(), path: new URL(response.url()).pathname, status: response.status(), text: headers + body }
}

const press = async (page: Page, name: string): Promise<void> => await page.getByRole('button', { name, exact: true }).click()
const write = async (page: Page, label: string, text: string): Promise<void> => await page.getByRole('textbox', { name: label, exact: true }).fill(text)
/** Waits for what has this heading. */
const arrived = async (page: Page, heading: string): Promise<void> => await page.getByRole('heading', { name: heading, exact: true }).waitFor()
const linked = async (page: Page): Promise<string> => await page.getByRole('list').filter({ visible: true }).innerText()

/** Waits for a refusal; its code and its sentence. */
async function refused (page: Page): Promise<[code: string | null, sentence: string | null]> {
  await page.getByRole('alert').waitFor()
  return [await page.locator('#problem-code').textContent(), await page.locator('#problem-text').textContent()]
}

async function signIn (page: Page, { name, email }: SeededPerson): Promise<void> {
  await arrived(page, 'Sign in')
  await press(page, name)
  await press(page, 'Sign in')
  await arrived(page, 'Signed in')
  await page.getByText(`You are ${email}.`).waitFor()
}

async function signOut (page: Page): Promise<void> {
  await press(page, 'Sign out')
  await arrived(page, 'Sign in')
}

/** On the page of the provider. */
async function choose (page: Page, name: string): Promise<void> {
  await arrived(page, 'Acme')
  await page.getByRole('button', { name: new RegExp(`^${name}\\b`) }).click()
}

async function signInWithAcme (page: Page, name: string): Promise<void> {
  await arrived(page, 'Sign in')
  await press(page, 'Sign in with Acme')
  await choose(page, name)
}

async function link (page: Page, name: string): Promise<void> {
  await press(page, 'Link an account at Acme')
  await choose(page, name)
}

/** The address of the next request that matches, which is never sent: also where a redirect leads to it. */
async function stoppedAt (page: Page, urlPattern: string, work: () => Promise<void>): Promise<string> {
  const devTools = await page.context().newCDPSession(page)
  await devTools.send('Fetch.enable', { patterns: [{ urlPattern }] })
  const stopped = new Promise<string>((resolve, reject) => {
    devTools.once('Fetch.requestPaused', ({ requestId, request: { url } }) => {
      devTools.send('Fetch.failRequest', { requestId, errorReason: 'Aborted' }).then(() => { resolve(url) }, reject)
    })
  })
  await work()
  const url = await stopped
  await devTools.detach()
  return url
}

t.test('a page that keeps its verifier', { skip: await noChromium() }, async (t) => {
  const { origin, send } = await builtServer(t)
  const { page, heard, complaints } = await browser(t, origin)
  const LINK_REQUIRED = ['OAUTH_LINK_REQUIRED', 'An account with this e-mail address exists. Sign in to it first, then link this provider.']
  await page.goto(`${origin}/account`)

  await t.test('an account of the same address is not signed in to', async (t) => {
    await signInWithAcme(page, 'Ada')
    t.strictSame(await refused(page), LINK_REQUIRED)
    t.equal(page.url(), `${origin}/account`, 'the code is not in the address any more')
  })

  await t.test('but linked by whoever is signed in to it', async (t) => {
    await signIn(page, ada)
    t.equal(await linked(page), 'None.')
    await link(page, 'Ada')
    await page.getByRole('button', { name: 'Unlink' }).waitFor()
    t.match(await linked(page), /^ada@example\.com at Acme/)
    t.equal(await page.evaluate('sessionStorage.length'), 0, 'nothing is left in the window')
    await signOut(page)
  })

  await t.test('and from then on it signs in', async (t) => {
    await signInWithAcme(page, 'Ada')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText(`You are ${ada.email}.`).isVisible())
    await signOut(page)
  })

  await t.test('attack: somebody else cannot link it, and learns nothing of whose it is', async (t) => {
    const token = (await send('POST', '/auth/login', { email: ada.email, password: ada.password })).body.access_token
    const { body: { id = '' } } = await send('GET', '/auth/me', undefined, token)
    t.ok(id)
    const before = (await heard()).length
    await signIn(page, eddie)
    await link(page, 'Ada')
    t.strictSame(await refused(page), ['OAUTH_ACCOUNT_ALREADY_LINKED', 'This provider account is already linked to another user. One provider identity can only be linked to a single local account.'])
    await arrived(page, 'Signed in')
    t.equal(await linked(page), 'None.', 'and he is signed in still')
    const answers = (await heard()).slice(before)
    t.match(answers.find(({ path, method }) => method === 'POST' && path === '/auth/oauth/acme/callback'), { status: 400, text: /OAUTH_ACCOUNT_ALREADY_LINKED/ })
    for (const { path, text } of answers) {
      // The page itself names the example's people, for everybody.
      const secret = path === '/account' ? [id] : [id, 'acme-1', ada.email]
      t.strictSame(secret.filter((one) => text.includes(one)), [], path)
    }
    await signOut(page)
  })

  await t.test('unlinked, it signs in no more', async (t) => {
    await signInWithAcme(page, 'Ada')
    await arrived(page, 'Signed in')
    await press(page, 'Unlink')
    await page.getByText('None.').waitFor()
    await signOut(page)
    await signInWithAcme(page, 'Ada')
    t.strictSame(await refused(page), LINK_REQUIRED)
  })

  await t.test('whoever has no account gets one, and keeps the last way in to it', async (t) => {
    await signInWithAcme(page, 'Iris')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText('You are iris@example.com.').isVisible())
    await press(page, 'Unlink')
    t.equal((await refused(page))[0], 'AUTHORIZATION_DENIED')
    t.match(await linked(page), /^iris@example\.com at Acme/)
    await signOut(page)
    await signInWithAcme(page, 'Iris')
    await arrived(page, 'Signed in')
    await signOut(page)
  })

  await t.test('an address that nobody has verified makes no account', async (t) => {
    await signInWithAcme(page, 'Tom')
    t.equal((await refused(page))[0], 'ACCOUNT_UNAVAILABLE')
    t.ok(await page.getByRole('heading', { name: 'Sign in' }).isVisible())
  })

  await t.test('whoever turns back at the provider is where he was', async (t) => {
    await signInWithAcme(page, 'Nobody')
    t.strictSame(await refused(page), ['', 'You came back from Acme without signing in there.'])
    await signIn(page, eddie)
    await link(page, 'Nobody')
    t.strictSame(await refused(page), ['', 'You came back from Acme without signing in there.'])
    await arrived(page, 'Signed in')
    await signOut(page)
  })

  await t.test('a second factor is asked for after the provider, too', async (t) => {
    await signIn(page, eddie)
    await link(page, 'Ada')
    await page.getByRole('button', { name: 'Unlink' }).waitFor()
    await press(page, 'Set up an authenticator application')
    await arrived(page, 'Set up an authenticator application')
    const secret = (await page.locator('#secret').textContent() ?? '').replaceAll(' ', '')
    await write(page, CODE, codeOf(secret))
    await press(page, 'Confirm')
    await arrived(page, 'Your recovery codes')
    const [first = '', second = ''] = await page.getByRole('listitem').allTextContents()
    await press(page, 'I have kept them')
    await arrived(page, 'Signed in')

    // This session showed the password alone, which is not enough any more.
    const proof = page.locator('#linked').getByRole('textbox', { name: 'A code of the application, or a recovery code' })
    await press(page, 'Unlink')
    t.equal((await refused(page))[0], 'STEP_UP_REQUIRED')
    await proof.fill(first)
    await press(page, 'Go on')
    await page.getByText('None.').waitFor()
    await press(page, 'Link an account at Acme')
    t.equal((await refused(page))[0], 'STEP_UP_REQUIRED')
    await proof.fill(second)
    await page.keyboard.press('Enter')
    await choose(page, 'Ada')
    await page.getByRole('button', { name: 'Unlink' }).waitFor()
    await signOut(page)

    const before = (await heard()).length
    await signInWithAcme(page, 'Ada')
    await arrived(page, 'Your second factor')
    const callback = (await heard()).slice(before).find(({ method, path }) => method === 'POST' && path === '/auth/oauth/acme/callback')
    t.equal(callback?.status, 202)
    t.notMatch(callback?.text, /access_token|refresh_token/)
    await write(page, CODE, codeOf(secret, 30))
    await press(page, 'Go on')
    await arrived(page, 'Signed in')
    t.ok(await page.getByText(`You are ${eddie.email}.`).isVisible())
    await press(page, 'Unlink')
    await page.getByText('None.').waitFor()
    await signOut(page)
  })

  await t.test('attack: the answer for somebody else\'s sign-in, sent as a link, signs nobody in', async (t) => {
    const attacker = await browser(t, origin)
    await attacker.page.goto(`${origin}/account`)
    // On its way back, before its own page can use it.
    const address = await stoppedAt(attacker.page, '*/account?*', () => signInWithAcme(attacker.page, 'Iris'))
    t.match(new URL(address).searchParams.get('code'), /./)
    await page.goto(address)
    t.strictSame(await refused(page), ['', 'That answer of a provider is for a sign-in that did not begin in this window.'])
    // Nor with a sign-in of his own under way: its verifier is another one.
    await press(page, 'Sign in with Acme')
    await arrived(page, 'Acme')
    await page.goto(address)
    t.equal((await refused(page))[0], 'OAUTH_STATE_INVALID')
    t.ok(await page.getByRole('heading', { name: 'Sign in' }).isVisible())
  })

  await t.test('nothing is cut off, and the browser has nothing to complain of', async (t) => {
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
    t.strictSame(complaints, [])
  })
})

t.test('plain navigation, bound by a cookie', { skip: await noChromium() }, async (t) => {
  const { origin } = await builtServer(t)
  // By name, where the provider is at an address: for the browser two different sites.
  const site = origin.replace('127.0.0.1', 'localhost')
  const { page, context, complaints } = await browser(t, origin)
  const json = async (page: Page): Promise<{ access_token?: string, extra?: { code: string } }> => JSON.parse(await page.locator('body').innerText())

  await t.test('ends on tokens, once', async (t) => {
    await page.goto(`${site}/auth/oauth/acme/authorize`)
    const [cookie] = (await context.cookies(site)).filter(({ name }) => name.startsWith('bouncer-oauth-'))
    t.match(cookie, { httpOnly: true, sameSite: 'Lax', path: '/' })
    const [response] = await Promise.all([page.waitForResponse(/\/callback\?/), choose(page, 'Iris')])
    t.equal(response.status(), 200)
    t.match(await response.allHeaders(), { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
    t.match(await json(page), { token_type: 'Bearer', access_token: /^eyJ/, refresh_token: /./ })
    t.strictSame((await context.cookies(site)).filter(({ name }) => name.startsWith('bouncer-oauth-')), [], 'the cookie is gone')
    const again = await page.goto(response.url())
    t.strictSame([again?.status(), (await json(page)).extra?.code], [400, 'OAUTH_STATE_INVALID'])
  })

  await t.test('attack: the callback of another browser', async (t) => {
    const victim = await browser(t, origin)
    await page.goto(`${site}/auth/oauth/acme/authorize`)
    const address = await stoppedAt(page, '*/callback?*', () => choose(page, 'Iris'))
    // Once without anything, and once with a sign-in of her own under way.
    for (const prepare of [async () => {}, async () => { await victim.page.goto(`${site}/auth/oauth/acme/authorize`) }]) {
      await prepare()
      const response = await victim.page.goto(address)
      t.strictSame([response?.status(), (await json(victim.page)).extra?.code], [400, 'OAUTH_STATE_INVALID'])
    }
    // It was not used up by that: whoever began it can end it.
    const own = await page.goto(address)
    t.equal(own?.status(), 200)
  })

  t.strictSame(complaints, [])
})

t.test('a linked account is known after a restart', async (t) => {
  const first = await builtServer(t)
  const { throughAcme } = await import(pathToFileURL('dist/examples/check-sign-in.js').href) as typeof import('../../examples/check-sign-in.js')
  const begun = await fetch(`${first.origin}/auth/oauth/acme/authorize`, { redirect: 'manual' })
  const { port } = new URL(begun.headers.get('location') ?? '')
  t.equal((await throughAcme(first.origin, 'acme-2')).status, 200)
  const { body: { access_token: token } } = await first.send('POST', '/auth/login', { email: ada.email, password: ada.password })
  t.equal((await throughAcme(first.origin, 'acme-1', token)).status, 200)
  const again = await first.restart({ PROVIDER_PORT: port })
  t.equal((await throughAcme(again.origin, 'acme-1')).status, 200)
})
