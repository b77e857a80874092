/** A browser that notices what should not be: errors of scripts, refusals of the policy, requests to other hosts. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Gateway } from './gateway';

const OUTPUT = new URL('../test-output', import.meta.url).pathname;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const DESKTOP = { width: 1360, height: 860 };
export const PHONE = { width: 360, height: 740 };

export function launch(): Promise<Browser> {
  const executablePath = execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], {
    encoding: 'utf8',
  }).trim();
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface Visit {
  page: Page;
  /** What went wrong on the page so far. */
  wrong: string[];
  close: () => Promise<void>;
}

export async function visit(
  browser: Browser,
  gateway: Gateway,
  locale = 'en-GB',
  others: string[] = [],
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: DESKTOP,
    locale,
    reducedMotion: 'reduce',
    // axe is put into the page by the test; what the page itself may load is still told by `securitypolicyviolation`.
    bypassCSP: false,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrong.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    const expected = [gateway.admin, ...others].some((origin) => url.startsWith(origin));
    if (!expected && !/^(data|blob):/.test(url)) wrong.push(`request to ${url}`);
  });
  return { page, wrong, close: () => context.close() };
}

export async function logIn(page: Page, gateway: Gateway, user: string, password: string): Promise<void> {
  await page.goto(`${gateway.admin}/`);
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

interface Violation {
  id: string;
  impact: string | null;
  nodes: { html: string; failureSummary: string }[];
}

/** Nothing on the page keeps anybody out (WCAG 2.2 AA): no serious or critical finding. */
export async function accessible(page: Page, name: string): Promise<void> {
  // Evaluated by the debugger, which the policy of the page does not hold back.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((r) => r.violations)`,
  )) as Violation[];
  const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}\n  ${nodes[0]?.failureSummary}`);
  expect(told, `${name} for everybody`).toEqual([]);
}

/** Pictures to look at, for a desk and for a phone, where nothing may be wider than the screen. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(OUTPUT, { recursive: true });
  await page.screenshot({ path: join(OUTPUT, `${name}.png`) });
  await page.setViewportSize(PHONE);
  await page.screenshot({ path: join(OUTPUT, `${name}-phone.png`) });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width, `${name} at ${PHONE.width} px`).toBeLessThanOrEqual(PHONE.width);
  await page.setViewportSize(DESKTOP);
}
