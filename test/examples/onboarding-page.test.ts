import t from 'tap'
import type { Page } from 'playwright-core'
import { vera } from '../../examples/seed.js'
import { codeOf } from '../totp.js'
import { arrived, openPage, press, problem, smuggle, viewport, write } from './browser.js'
import { builtServer } from './built-server.js'
import { noChromium } from './programs.js'

// A person and a browser: from an address to an account, step by step.

const email = 'nora@example.com'
const password = 'first-day-at-work'

/** What stands in the mail that came last: read in another tab, as people do. */
async function code (page: Page, origin: string): Promise<string> {
  const mailbox = await page.context().newPage()
  try {
    await mailbox.goto(`${origin}/onboarding/mailbox`)
    const mail = await mailbox.locator('.mail').first().innerText()
    if (!mail.includes(email)) throw new Error(`a mail to somebody else: ${mail}`)
    return /Your code is (\d{6})/.exec(mail)?.[1] ?? ''
  } finally {
    await mailbox.close()
  }
}

const fill = async (page: Page, label: string, text: string): Promise<void> => await page.locator('#fields').getByLabel(label).fill(text)

t.test('the way to an account, in a browser', { skip: await noChromium() }, async (t) => {
  const { origin, send } = await builtServer(t)
  const { page, complaints, asked } = await openPage(t, origin, '/onboarding')
  const bars = page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  const states = async (): Promise<string[]> => (await bars.allTextContents()).map((text) => text.split(': ')[1] ?? '')
  const refused = async (sentence: RegExp): Promise<void> => {
    await page.getByRole('alert').waitFor()
    t.match(await problem(page), sentence)
  }

  await t.test('an address, and the code that was mailed to it', async (t) => {
    await arrived(page, 'What is your e-mail address?')
    await write(page, 'E-mail address', email)
    await press(page, 'Start')
    await arrived(page, 'Verify your e-mail address')
    t.strictSame(await states(), ['left', 'left', 'left', 'left', 'left'])
    t.notOk(await page.getByRole('button', { name: 'Not now' }).isVisible(), 'this cannot be left out')
    await press(page, 'Send the code')
    await page.locator('#fields').getByLabel('Code').waitFor()
    const right = await code(page, origin)
    await fill(page, 'Code', right === '000000' ? '000001' : '000000')
    await press(page, 'Go on')
    await refused(/^The code is not the one that was sent last$/)
    await fill(page, 'Code', right)
    await page.keyboard.press('Enter')
    await arrived(page, 'Create your account')
  })

  await t.test('a password that is too easy, and one that is not', async (t) => {
    await fill(page, 'Password', '12345')
    await press(page, 'Go on')
    await refused(/at least 8 characters/)
    await fill(page, 'Password', password)
    await press(page, 'Go on')
    await arrived(page, 'About you')
    t.strictSame(await states(), ['done', 'done', 'left', 'left', 'left'])
  })

  await t.test('whoever reloads the page goes on where she was', async (t) => {
    await page.reload()
    await arrived(page, 'About you')
    t.notOk((await page.content()).includes(password))
  })

  await t.test('a profile, and the terms', async (t) => {
    await fill(page, 'Your name', 'Nora')
    await page.getByLabel('Your team').selectOption('birds')
    await page.getByLabel('Send me the newsletter').check()
    await press(page, 'Go on')
    await arrived(page, 'Terms of use')
    await press(page, 'Go on')
    await page.waitForTimeout(200)
    await arrived(page, 'Terms of use')
    await page.getByLabel('I accept the terms').check()
    await press(page, 'Go on')
    await arrived(page, 'Set up an authenticator application')
    t.ok(await page.getByRole('button', { name: 'Not now' }).isVisible(), 'this may be left out')
  })

  await t.test('an authenticator application, and recovery codes', async (t) => {
    await press(page, 'Go on')
    await page.getByRole('img').waitFor()
    const secret = (await page.locator('#secret-text').textContent() ?? '').replaceAll(' ', '')
    t.match(await page.getByRole('link', { name: 'open it on this phone' }).getAttribute('href'), new RegExp(`secret=${secret}`))
    await fill(page, 'Code', 'guess')
    await press(page, 'Go on')
    await refused(/^The code is not right$/)
    await fill(page, 'Code', codeOf(secret))
    await press(page, 'Go on')
    await arrived(page, 'Your recovery codes')
    t.equal(await page.locator('#code-list li').count(), 10)
    await press(page, 'I have kept them')
    await arrived(page, 'Welcome')
    t.equal(await page.locator('#who').textContent(), email)
    t.notOk((await page.content()).includes(secret))
    t.equal(await page.evaluate('sessionStorage.length'), 0)
  })

  await t.test('the account is one like any other', async (t) => {
    const { status, body } = await send('POST', '/auth/login', { email, password })
    t.match([status, body.challenge_name], [202, 'MFA_TOTP'])
  })

  await t.test('an address that has an account: its owner learns it, and signs in', async () => {
    await page.goto(`${origin}/onboarding`)
    await write(page, 'E-mail address', email)
    await press(page, 'Start')
    await arrived(page, 'Verify your e-mail address')
    await press(page, 'Send the code')
    await page.locator('#fields').getByLabel('Code').waitFor()
    await fill(page, 'Code', await code(page, origin))
    await press(page, 'Go on')
    await arrived(page, 'Create your account')
    await fill(page, 'Password', 'another-password-of-hers')
    await press(page, 'Go on')
    await refused(/is taken: sign in instead/)
    await press(page, 'Start over')
    await arrived(page, 'What is your e-mail address?')
  })

  await t.test('a session that is over', async () => {
    await write(page, 'E-mail address', vera.email)
    await press(page, 'Start')
    await arrived(page, 'Verify your e-mail address')
    await send('POST', '/auth/onboarding/start', { email: vera.email })
    await press(page, 'Send the code')
    await refused(/^Session has been invalidated$/)
    await arrived(page, 'What is your e-mail address?')
  })

  await t.test('on a small telephone nothing is cut off, and the browser has nothing to complain of', async (t) => {
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), viewport.width)
    t.strictSame(complaints, [])
    t.strictSame([...asked], [origin], 'nobody else is asked for anything')
  })
})

t.test('attack: a script that somebody smuggled into the page does not run', { skip: await noChromium() }, async (t) => {
  const { origin, send } = await builtServer(t)
  const { page } = await openPage(t, origin, '/onboarding')
  t.equal(await smuggle(page), undefined)
  // Nor does an address that is markup, in the mailbox.
  const { body } = await send('POST', '/auth/onboarding/start', { email: "'><img/src=x/onerror=alert(1)>@example.com" })
  t.match(body.extra?.code, 'REQUEST_INVALID')
  const odd = await send('POST', '/auth/onboarding/start', { email: "o'neill&co@example.com" })
  await send('POST', '/auth/onboarding/advance', { session: odd.body.session })
  await page.goto(`${origin}/onboarding/mailbox`)
  t.match(await page.content(), /o'neill&amp;co@example\.com/)
})
