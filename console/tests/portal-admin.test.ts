/** What those who run the portal do in the console: how it looks, whom they keep out, how much is called. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, type Visit, visit } from './browser';
import { Gateway } from './gateway';
import { openShop } from './shop';

let gateway: Gateway;
let browser: Browser;
let at: Visit;
let key: string;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  await openShop(gateway, 'off');
  await gateway.ask('POST', '/applications', { name: 'till' });
  const made = await gateway.ask('POST', '/applications/till/keys', {});
  key = ((await made.json()) as { key: string }).key;
  await gateway.ask('POST', '/subscriptions', { application: 'till', api: 'Orders', plan: 'free' });
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

beforeEach(async () => {
  at = await visit(browser, gateway);
  await logIn(at.page, gateway, 'Administrator', gateway.password);
  await at.page.getByRole('link', { name: 'Developer portal' }).first().waitFor();
});

afterEach(async () => {
  await at.close();
  expect(at.wrong).toEqual([]);
});

async function call(): Promise<number> {
  const headers = { 'x-Gateway-APIKey': key };
  return (await fetch(`${gateway.listener}/orders/v1/orders`, { headers })).status;
}

test('the look is changed with a preview, and the portal has it', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/console/portal?tab=look`);
  await page.getByLabel('Headline').fill('Ahoy, builders');
  await page.getByLabel('Colour', { exact: true }).fill('#a21caf');
  await page.getByRole('heading', { name: 'Ahoy, builders' }).waitFor();
  await accessible(page, 'look');
  await picture(page, 'portal-look');
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.goto(`${gateway.admin}/portal/`);
  await page.getByRole('heading', { name: 'Ahoy, builders' }).waitFor();
  await page.getByRole('main').getByRole('link', { name: 'Browse APIs' }).waitFor();
});

test('a subscription is blocked, and let in again', async () => {
  const { page } = at;
  expect(await call()).toBe(200);
  await page.goto(`${gateway.admin}/console/portal?tab=subscriptions`);
  await page.getByRole('button', { name: 'Block till' }).waitFor();
  await accessible(page, 'subscriptions');
  await picture(page, 'portal-subscriptions');
  for (const [button, status] of [
    ['Block till', 403],
    ['Let till in again', 200],
  ] as const) {
    await page.getByRole('button', { name: button }).click();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await call(), button).toBe(status);
  }
});

test('dashboards say what requests add up to, and are saved', { timeout: 150_000 }, async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/console/dashboards`);
  await page.getByRole('heading', { name: 'Dashboards' }).waitFor();
  for (let calls = 0; calls < 12; calls += 1) await call();
  await fetch(`${gateway.listener}/orders/v1/orders`);
  await fetch(`${gateway.listener}/nowhere`);
  // Requests are added up once a minute.
  await expect
    .poll(
      async () =>
        ((await (await gateway.ask('GET', '/analytics?group=api')).json()) as { items: unknown[] }).items
          .length,
      {
        timeout: 100_000,
        interval: 1_000,
      },
    )
    .toBeGreaterThan(0);
  await page.reload();
  const charts = page.getByRole('img', { name: 'Traffic' }).locator('canvas');
  await charts.waitFor();
  await page.getByRole('main').getByText('Orders:1.0').first().waitFor();
  await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
  await accessible(page, 'dashboards');
  await picture(page, 'dashboards');
  const saved = async (click: () => Promise<void>) => {
    const [download] = await Promise.all([page.waitForEvent('download'), click()]);
    return readFileSync(await download.path());
  };
  const csv = await saved(() => page.getByRole('link', { name: 'Save as CSV' }).click());
  expect(csv.toString()).toMatch(/^time,api,application,requests/);
  const png = await saved(() => page.getByRole('button', { name: 'Save Traffic as picture' }).click());
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  await page.goto(`${gateway.admin}/console/dashboards?api=Stock%3A1.0`);
  await page.getByText('No requests in this time').waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(`${gateway.admin}/console/dashboards?hours=1`);
  await charts.waitFor();
  await accessible(page, 'dark dashboards');
  await picture(page, 'dark-dashboards');
});

test('an API and an application have dashboards of their own', { timeout: 150_000 }, async () => {
  const { page } = at;
  const requests = async (of: string) => {
    const report = (await (await gateway.ask('GET', `/analytics?${of}`)).json()) as {
      items: { requests: number }[];
    };
    return report.items[0]?.requests ?? 0;
  };
  await call();
  await fetch(`${gateway.listener}/orders/v1/orders`);
  // What came without a key counts for the API, and for no application.
  const ofApi = () => requests('api=Orders:1.0');
  const ofTill = () => requests('application=till');
  await expect
    .poll(async () => (await ofTill()) > 0 && (await ofApi()) > (await ofTill()), {
      timeout: 100_000,
      interval: 1_000,
    })
    .toBe(true);
  const figure = async () =>
    Number(await page.getByRole('definition').first().textContent({ timeout: 10_000 }));
  await page.goto(`${gateway.admin}/console/apis/Orders%3A1.0`);
  await page.getByRole('tab', { name: 'Dashboard' }).click();
  await page.getByRole('heading', { name: 'Busiest applications' }).waitFor();
  await page.getByText('till', { exact: true }).waitFor();
  await page.getByRole('img', { name: 'Traffic' }).locator('canvas').waitFor();
  expect(await page.getByRole('heading', { name: 'Most called APIs' }).count()).toBe(0);
  expect(await figure()).toBe(await ofApi());
  await accessible(page, 'dashboard of an API');
  await picture(page, 'api-dashboard');
  await page.getByText('1 hour', { exact: true }).click();
  await page.waitForURL(/tab=dashboard&hours=1$/);

  await page.goto(`${gateway.admin}/console/assets/applications/of/till`);
  await page.getByRole('tab', { name: 'Dashboard' }).click();
  await page.getByRole('heading', { name: 'Most called APIs' }).waitFor();
  await page.getByText('Orders:1.0', { exact: true }).waitFor();
  await page.getByRole('img', { name: 'Traffic' }).locator('canvas').waitFor();
  expect(await page.getByRole('heading', { name: 'Busiest applications' }).count()).toBe(0);
  expect(await figure()).toBe(await ofTill());
  await accessible(page, 'dashboard of an application');
  await picture(page, 'application-dashboard');
});
