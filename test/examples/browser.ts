import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { chromiumPath } from './programs.js'

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
/** Of a small phone. */
export const viewport = { width: 320, height: 640 }

export interface OpenPage {
  page: Page
  /** What the browser complained of, but for refusals, which are answers. */
  complaints: string[]
  /** Addresses of all that was asked for, but the pictures that are in the page. */
  asked: Set<string>
}

/** A browser of its own, on a page of the example server; it ends with the test. */
export async function openPage (t: Test, origin: string, path: string): Promise<OpenPage> {
  const profile = await mkdtemp(join(tmpdir(), 'example-page-'))
  t.teardown(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }))
  const context = await chromium.launchPersistentContext(profile, { executablePath: chromiumPath, args: ARGUMENTS, viewport })
  t.teardown(() => context.close())
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const complaints: string[] = []
  const asked = new Set<string>()
  page.on('pageerror', (error) => { complaints.push(error.message) })
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  page.on('request', (request) => { if (!request.url().startsWith('data:')) asked.add(new URL(request.url()).origin) })
  await page.goto(origin + path)
  return { page, complaints, asked }
}

export const press = async (page: Page, name: string): Promise<void> => await page.getByRole('button', { name, exact: true }).click()
export const write = async (page: Page, label: string, text: string): Promise<void> => await page.getByRole('textbox', { name: label, exact: true }).fill(text)
/** The sentence of a refusal, once there is one. */
export const problem = async (page: Page): Promise<string | null> => await page.getByRole('alert').textContent()
/** Waits for the section with this heading. */
export const arrived = async (page: Page, heading: string): Promise<void> => await page.getByRole('heading', { name: heading, exact: true }).waitFor()

/** A script that somebody smuggled into the page: it says that it ran, if it does. */
export async function smuggle (page: Page): Promise<unknown> {
  await page.evaluate('const script = document.createElement("script"); script.textContent = "window.smuggled = true"; document.body.append(script); document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=\\"window.smuggled = true\\">")')
  await page.waitForTimeout(200)
  return await page.evaluate('window.smuggled')
}
