/** What consumers do in the portal, from end to end, in a real browser against the real program. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, type Visit, visit } from './browser';
import { Gateway } from './gateway';
import { addConsumer, openShop, PASSWORD } from './shop';

let gateway: Gateway;
let browser: Browser;
let at: Visit;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  await openShop(gateway, 'approval');
  await addConsumer(gateway, 'ann');
  await addConsumer(gateway, 'pam');
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

beforeEach(async () => {
  at = await visit(browser, gateway);
});

afterEach(async () => {
  await at.close();
  expect(at.wrong).toEqual([]);
});

async function enter(page: Page, user: string): Promise<void> {
  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
}

function card(page: Page, name: string) {
  return page.getByRole('main').getByRole('link', { name: new RegExp(`^${name} Version`) });
}

/** Makes a key on the page of an application, which tells it once. */
async function takenKey(page: Page): Promise<string> {
  const key = (await page.getByRole('region', { name: 'API key' }).textContent()) ?? '';
  await page.getByRole('button', { name: 'I have kept it' }).click();
  return key.trim();
}

async function statusWith(key: string): Promise<number> {
  const headers = { 'x-Gateway-APIKey': key };
  return (await fetch(`${gateway.listener}/orders/v1/orders`, { headers })).status;
}

test('somebody signs up, is approved, subscribes, takes a key and makes the first call', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/`);
  await page.getByRole('heading', { name: 'Build on the harbour of commerce' }).waitFor();
  await page.getByRole('main').getByRole('link', { name: 'Sign up' }).click();
  await page.getByLabel('User name').fill('no');
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByRole('button', { name: 'Ask for an account' }).click();
  await page.getByText('expected 3 to 64 letters').waitFor();
  await picture(page, 'portal-signup-refused');
  await page.getByLabel('User name').fill('bea');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('What do you want to build?').fill('A shop for boats.');
  await page.getByRole('button', { name: 'Ask for an account' }).click();
  await page.getByRole('heading', { name: 'Thank you, we have noted it' }).waitFor();

  // An administrator decides, in the console.
  const office = await visit(browser, gateway);
  await logIn(office.page, gateway, 'Administrator', gateway.password);
  await office.page.getByRole('link', { name: 'Developer portal' }).first().click();
  await office.page.getByText('A shop for boats.').waitFor();
  await accessible(office.page, 'approvals');
  await picture(office.page, 'portal-approvals');
  await office.page.getByRole('button', { name: 'Approve bea' }).click();
  await office.page.getByText('Nothing waits for you').waitFor();

  await enter(page, 'bea');
  await page.getByRole('link', { name: 'APIs', exact: true }).first().click();
  await card(page, 'Orders').click();
  await page.getByRole('button', { name: 'Get access' }).click();
  await page.getByRole('button', { name: 'Subscribe to Gold' }).click();
  await page.getByLabel('Name of the application').fill('boats');
  await page.getByLabel('Why you need it').fill('Boats sell every day.');
  await page.getByRole('dialog').getByRole('button', { name: 'Ask for access' }).click();
  await page.getByText('As soon as somebody approves it').waitFor();
  await page.getByRole('link', { name: 'To its keys' }).click();
  await page.getByText('Waits for approval').waitFor();
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  await page.getByText('It is shown only this once').waitFor();
  await accessible(page, 'key');
  await picture(page, 'portal-key');
  const key = await takenKey(page);
  expect(await statusWith(key), 'before it is approved').toBe(403);

  await office.page.reload();
  await office.page.getByText('Boats sell every day.').waitFor();
  await office.page.getByRole('button', { name: 'Approve boats' }).click();
  await office.page.getByText('Nothing waits for you').waitFor();
  await office.close();

  await page.goto(`${gateway.admin}/portal/apis/Orders%3A1.0?tab=reference&at=getOrder`);
  const trial = page.getByRole('region', { name: 'Try it' });
  await trial.getByLabel('Your API key').fill(key);
  await trial.getByRole('button', { name: 'Send request' }).click();
  const answer = trial.getByRole('status', { name: 'Answer' });
  await answer.getByText('200').waitFor();
  await answer.getByText('"path": "/orders/7"').waitFor();
  await accessible(page, 'try');
  await picture(page, 'portal-try');
});

test('a key is rotated without interruption, and revoked', async () => {
  const { page } = at;
  await enter(page, 'ann');
  await page.getByRole('link', { name: 'My applications' }).first().click();
  await page.getByText('You have no applications yet').waitFor();
  await page.getByRole('button', { name: 'New application' }).click();
  await page.getByLabel('Name of the application').fill('kiosk');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { name: 'kiosk' }).waitFor();
  await page.getByRole('link', { name: 'Browse APIs' }).click();
  await card(page, 'Orders').click();
  await page.getByRole('tab', { name: 'Plans' }).click();
  await page.getByRole('button', { name: 'Subscribe to Free' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Subscribe' }).click();
  await page.getByText('kiosk may call Orders from now on.').waitFor();
  await page.getByRole('link', { name: 'To its keys' }).click();

  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  const first = await takenKey(page);
  expect(await statusWith(first)).toBe(200);
  await page.getByRole('button', { name: /^Rotate key/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  const second = await takenKey(page);
  expect(second).not.toBe(first);
  expect([await statusWith(first), await statusWith(second)], 'both, for a day').toEqual([200, 200]);
  await page.reload();
  await page.getByText(/^Ends /).waitFor();
  await page
    .getByText(/Last used/)
    .first()
    .waitFor();
  await accessible(page, 'application');
  await picture(page, 'portal-application');

  await page
    .getByRole('button', { name: /^Revoke key/ })
    .first()
    .click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('The key was revoked').waitFor();
  expect([await statusWith(first), await statusWith(second)].sort(), 'one of them').toEqual([200, 401]);

  await page.getByRole('button', { name: 'Change plan of Orders' }).click();
  await page.getByRole('combobox', { name: 'Plan' }).click();
  await page.getByRole('option', { name: 'Gold' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Change plan' }).click();
  await page.getByText('Moves to gold once that is approved').waitFor();
  await page.getByRole('button', { name: 'Cancel subscription to Orders' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('No subscriptions yet').waitFor();
  expect(await statusWith(second)).not.toBe(200);
});

test('who may not see an API does not find it', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/apis`);
  await card(page, 'Orders').waitFor();
  expect([await card(page, 'Invoices').count(), await card(page, 'Salaries').count()]).toEqual([0, 0]);
  await enter(page, 'ann');
  await page.goto(`${gateway.admin}/portal/apis`);
  await card(page, 'Invoices').waitFor();
  expect(await card(page, 'Salaries').count()).toBe(0);
  await page.goto(`${gateway.admin}/portal/apis/Salaries%3A1.0`);
  await page.getByText('There is nothing here').waitFor();
  await gateway.ask(
    'PATCH',
    '/users/pam',
    { groups: ['partners'] },
    { 'content-type': 'application/merge-patch+json' },
  );
  const partner = await visit(browser, gateway);
  await enter(partner.page, 'pam');
  await partner.page.goto(`${gateway.admin}/portal/apis`);
  await card(partner.page, 'Salaries').waitFor();
  await partner.close();
});

test('a consumer gets nothing out of the console', async () => {
  const { page } = at;
  await enter(page, 'ann');
  await page.goto(`${gateway.admin}/console/`);
  await page.waitForURL(`${gateway.admin}/portal/**`);
  const statuses = await page.evaluate(() =>
    Promise.all(
      ['apis', 'users', 'applications', 'analytics', 'kinds'].map(
        async (path) => (await fetch(`/api/v1/${path}`)).status,
      ),
    ),
  );
  expect(statuses).toEqual([403, 403, 403, 403, 403]);
});

test('a temporary password is changed first', async () => {
  const { page } = at;
  await addConsumer(gateway, 'tim', true);
  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByLabel('User', { exact: true }).fill('tim');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  await accessible(page, 'temporary password');
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByLabel('New password', { exact: true }).fill('another horse battery');
  await page.getByLabel('New password again').fill('another horse battery');
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
});

test('an API is rated and commented on, and comments are text', async () => {
  const { page } = at;
  await enter(page, 'ann');
  await page.goto(`${gateway.admin}/portal/apis/Orders%3A1.0?tab=discussion`);
  await page.getByRole('radio', { name: '4 of 5 stars' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('img', { name: '4 / 5, 1 rating' }).waitFor();
  await page.getByLabel('Your comment').fill('Works <b>well</b>');
  await page.getByRole('button', { name: 'Send comment' }).click();
  await page.getByText('Works <b>well</b>').waitFor();
  await accessible(page, 'discussion');
  await picture(page, 'portal-discussion');
  await page.getByRole('button', { name: 'Delete the comment of ann' }).click();
  await page.getByText('No comments yet').waitFor();
});

test('the definition and a client are downloaded', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/apis/Orders%3A1.0`);
  const downloaded = async (item: string) => {
    await page.getByRole('button', { name: 'Download' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: item }).click(),
    ]);
    return readFileSync(await download.path(), 'utf8');
  };
  expect(await downloaded('Definition (OpenAPI)')).toContain('listOrders');
  const client = await downloaded('Client for TypeScript');
  expect(client).toContain('export class OrdersClient');
  expect(client).toContain('async createOrder(');
});

const PAGES: [string, string, string][] = [
  ['home', '/', 'Build on the harbour of commerce'],
  ['catalog', '/apis', 'APIs'],
  ['nothing', '/apis?q=submarine', 'Nothing matches'],
  ['api', '/apis/Orders%3A1.0', 'Your first call'],
  ['reference', '/apis/Orders%3A1.0?tab=reference&at=createOrder', 'Create an order'],
  ['plans', '/apis/Orders%3A1.0?tab=plans', 'Gold'],
  ['documents', '/apis/Orders%3A1.0?tab=documents', 'Getting started'],
  ['changes', '/apis/Orders%3A1.0?tab=changes', 'Orders'],
  ['page', '/pages/terms', 'Terms'],
  ['login', '/login', 'Log in'],
  ['signup', '/signup', 'Create an account'],
  ['not-found', '/nowhere', 'There is nothing here'],
];
const OWN: [string, string, string][] = [
  ['applications', '/applications', 'My applications'],
  ['application-empty', '/applications/till', 'till'],
  ['usage', '/applications/till?tab=usage', 'Usage'],
  ['settings', '/applications/till?tab=settings', 'till'],
  ['account', '/account', 'Account'],
];

async function lookAt(page: Page, name: string, path: string, heading: string): Promise<void> {
  await page.goto(`${gateway.admin}/portal${path}`);
  await page.getByRole('heading', { name: heading, exact: true }).first().waitFor();
  await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
  await accessible(page, name);
  await picture(page, `portal-${name}`);
}

test('every page is for everybody, and fits a phone', async () => {
  const { page } = at;
  for (const [name, path, heading] of PAGES) await lookAt(page, name, path, heading);
  await enter(page, 'ann');
  await page.evaluate(async () => {
    const session = (await (await fetch('/api/v1/session')).json()) as { csrf: string };
    const headers = { 'content-type': 'application/json', 'x-csrf-token': session.csrf };
    const body = JSON.stringify({ name: 'till', description: 'The till of the shop.', origins: [] });
    await fetch('/api/v1/portal/applications', { method: 'POST', headers, body });
  });
  for (const [name, path, heading] of OWN) await lookAt(page, name, path, heading);
});

test('what owners write runs nothing and asks nobody', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/pages/terms`);
  await page.getByText('<img src=x onerror=alert(1)>').waitFor();
  const found = await page.evaluate(() => ({
    images: document.querySelectorAll('main img').length,
    scripts: [...document.querySelectorAll('main a')].filter((a) =>
      a.getAttribute('href')?.startsWith('javascript'),
    ).length,
  }));
  expect(found).toEqual({ images: 0, scripts: 0 });
});

test('at twice the size everything is still there', async () => {
  const { page } = at;
  // 1280 px at 200 % is as wide as 640 px.
  await page.setViewportSize({ width: 640, height: 400 });
  for (const path of ['/', '/apis', '/apis/Orders%3A1.0?tab=reference', '/signup']) {
    await page.goto(`${gateway.admin}/portal${path}`);
    await page.getByRole('heading').first().waitFor();
    await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(640);
  }
});

test('the keyboard is enough to search and to copy a call', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/`);
  await page.getByRole('heading', { name: 'Build on the harbour of commerce' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('orders');
  await page.keyboard.press('Enter');
  // The card is on the first page, too, which is about to go.
  await page.getByRole('heading', { level: 1, name: 'APIs' }).waitFor();
  await card(page, 'Orders').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('tab', { name: 'curl' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tabpanel', { name: 'Python' }).getByText('import requests').waitFor();
});

test('dark colours and German are there for the asking', async () => {
  const german = await visit(browser, gateway, 'de-DE');
  await german.page.emulateMedia({ colorScheme: 'dark' });
  for (const [name, path, heading] of [
    ['dark-home', '/', 'Build on the harbour of commerce'],
    ['dark-catalog', '/apis', 'APIs'],
    ['dark-api', '/apis/Orders%3A1.0', 'Ihr erster Aufruf'],
    ['dark-reference', '/apis/Orders%3A1.0?tab=reference', 'List orders'],
    ['dark-plans', '/apis/Orders%3A1.0?tab=plans', 'Gold'],
  ] as const) {
    await lookAt(german.page, name, path, heading);
  }
  await german.close();
  expect(german.wrong).toEqual([]);
});
