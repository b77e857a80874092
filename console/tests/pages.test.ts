/** Every page by itself: for everybody, on every screen, in both languages and both colours. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, DESKTOP, launch, logIn, picture, visit } from './browser';
import { Gateway } from './gateway';
import { PETS } from './pets';

let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  const octets = { 'content-type': 'application/octet-stream' };
  await gateway.ask('POST', `/apis/import?upstream=${gateway.upstream}`, PETS, octets);
  const apis = Array.from({ length: 9_999 }, (_, index) => ({
    name: `Service ${String(index).padStart(5, '0')}`,
    upstream: gateway.upstream,
    inactive: true,
    tags: [index % 2 === 0 ? 'even' : 'odd'],
  }));
  await gateway.ask('POST', '/apply', { apis });
  for (let call = 0; call < 5; call += 1) await fetch(`${gateway.listener}/gateway/Pets/1.0/pets/${call}`);
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

const PAGES: [string, string, string][] = [
  ['apis', '/apis', 'APIs'],
  ['requests', '/requests', 'Requests'],
  ['ask', '/requests/ask', 'What would happen?'],
  ['operations', '/apis/Pets%3A1.0?tab=operations', 'Pets 1.0'],
  ['applications', '/assets/applications', 'Applications'],
  ['new-application', '/assets/applications/new', 'New: Application'],
  ['new-destination', '/assets/destinations/new', 'New: Destination'],
  ['new-keystore', '/assets/keystores/new', 'New: Keystore'],
  ['global-policies', '/assets/policies/new', 'New: Global policy'],
  ['users', '/assets/users', 'Users'],
  ['user', '/assets/users/of/Administrator', 'Administrator'],
  ['groups', '/assets/groups', 'Groups'],
  ['audit', '/audit', 'Audit log'],
  ['oauth-tokens', '/oauth-tokens', 'OAuth tokens'],
  ['settings', '/settings', 'Settings'],
  ['new-plan', '/assets/plans/new', 'New: Plan'],
  ['status', '/status', 'Node status'],
  ['not-found', '/nowhere', 'There is nothing here'],
];

test('every page is for everybody, and fits a phone', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  for (const [name, path, heading] of PAGES) {
    await page.goto(`${gateway.admin}/console${path}`);
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
    await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
    await accessible(page, name);
    await picture(page, name);
  }
  await close();
  expect(wrong).toEqual([]);
});

test('dark colours and German are there for the asking', async () => {
  const { page, wrong, close } = await visit(browser, gateway, 'de-DE');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(`${gateway.admin}/`);
  await page.getByLabel('Benutzer', { exact: true }).fill('Administrator');
  await page.getByLabel('Passwort', { exact: true }).fill(gateway.password);
  await page.getByRole('button', { name: 'Anmelden' }).click();
  for (const [name, path, heading] of [
    ['dark-requests', '/requests', 'Anfragen'],
    ['dark-policies', '/apis/Pets%3A1.0?tab=policies', 'Pets 1.0'],
    ['dark-editor', '/apis/Pets%3A1.0?tab=edit', 'Pets 1.0'],
  ] as const) {
    if (name === 'dark-requests') await page.getByRole('link', { name: 'Anfragen' }).waitFor();
    await page.goto(`${gateway.admin}/console${path}`);
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
    await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
    await accessible(page, name);
    await picture(page, name);
  }
  await close();
  expect(wrong).toEqual([]);
});

test('at twice the size everything is there, and nothing is cut off', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  // What a browser does at 200 %: half as many pixels of the page.
  await page.setViewportSize({ width: DESKTOP.width / 2, height: DESKTOP.height / 2 });
  for (const [name, path, heading] of [
    ['zoom-api', '/apis/Pets%3A1.0', 'Pets 1.0'],
    ['zoom-policies', '/apis/Pets%3A1.0?tab=policies', 'Pets 1.0'],
    ['zoom-status', '/status', 'Node status'],
    ['zoom-requests', '/requests', 'Requests'],
  ] as const) {
    await page.goto(`${gateway.admin}/console${path}`);
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
    await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(680);
    await accessible(page, name);
  }
  await close();
  expect(wrong).toEqual([]);
});

test('the definition is rendered for reading', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  await page.goto(`${gateway.admin}/console/apis/Pets%3A1.0?tab=definition`);
  await page.getByText('All pets.').first().waitFor();
  await accessible(page, 'definition');
  await picture(page, 'definition');
  await close();
  expect(wrong).toEqual([]);
});

test('ten thousand APIs scroll, and few of them are drawn', async () => {
  const { page, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByText('10,000 entries').waitFor();
  await page.getByRole('link', { name: /Service 00000/ }).waitFor();
  for (let screens = 0; screens < 20; screens += 1) {
    const before = await page.evaluate(() => window.scrollY);
    // Scrolled again until it moves, since at the end of what is loaded it moves only when more has come; then something is
    // drawn at the new place.
    await page.waitForFunction((from) => {
      if (window.scrollY <= from) window.scrollBy(0, 4_000);
      const rows = [...document.querySelectorAll('[role=listitem]')];
      return window.scrollY > from && rows.some((row) => row.getBoundingClientRect().top > 0);
    }, before);
  }
  expect(await page.getByRole('listitem').count()).toBeLessThan(80);
  await page.getByRole('searchbox').fill('Service 09998');
  await page.getByText('1 entry').waitFor();
  await page.getByRole('link', { name: /Service 09998/ }).waitFor();
  await close();
});

test('the keyboard is enough to import', async () => {
  const { page, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Import an API' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
  for (let presses = 0; presses < 10; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement?.textContent)) === 'Import an API') break;
  }
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Import an API' }).waitFor();
  await close();
});
