/** What surrounds an API in the console: its picture, its properties, its applications, the plans that it offers. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, type Visit, visit } from './browser';
import { Gateway } from './gateway';

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="#0b7a75"/></svg>`;

let gateway: Gateway;
let browser: Browser;
let at: Visit;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  await gateway.ask('POST', '/apply', {
    plans: [{ name: 'free', quota: { requests: 1000, per: 'day' } }],
    apis: [
      {
        name: 'Stock',
        upstream: gateway.upstream,
        plans: ['free'],
        owner: 'Ann of the warehouse',
        attributes: { 'cost centre': '4711' },
      },
    ],
    applications: [{ name: 'till', apis: ['Stock'] }, { name: 'website' }, { name: 'stranger' }],
    subscriptions: [{ application: 'website', api: 'Stock', plan: 'free', state: 'pending' }],
  });
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

beforeEach(async () => {
  at = await visit(browser, gateway);
  await logIn(at.page, gateway, 'Administrator', gateway.password);
  await at.page.getByRole('heading', { name: 'APIs' }).waitFor();
});

afterEach(async () => {
  await at.close();
  expect(at.wrong).toEqual([]);
});

async function api(): Promise<{ icon?: string }> {
  return ((await (await gateway.ask('GET', '/apis/Stock:1.0')).json()) as { spec: { icon?: string } }).spec;
}

test('an API gets an icon, which lists show, and loses it again', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/console/apis/Stock%3A1.0`);
  await page.getByText('cost centre').waitFor();
  await page.getByText('4711').waitFor();
  await page.getByText('Ann of the warehouse').waitFor();
  const choose = async (name: string, bytes: Buffer) => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: /^(Add an|Change) icon$/ }).click(),
    ]);
    await chooser.setFiles({ name, mimeType: 'image/svg+xml', buffer: bytes });
  };
  await choose('large.svg', Buffer.alloc(101 * 1024, ' '));
  await page.getByText('This file is larger than 100 KiB.').waitFor();
  expect((await api()).icon).toBeUndefined();
  await choose('stock.svg', Buffer.from(ICON));
  const icon = page.getByRole('img', { name: 'Icon of Stock:1.0' });
  await icon.waitFor();
  expect((await api()).icon).toBe(`data:image/svg+xml;base64,${Buffer.from(ICON).toString('base64')}`);
  expect(await icon.evaluate((shown) => (shown as HTMLImageElement).naturalWidth)).toBeGreaterThan(0);
  await accessible(page, 'API with an icon');
  await picture(page, 'api-icon');
  await page.getByRole('link', { name: '← APIs' }).click();
  await page.locator('main img[src^="data:image/svg+xml"]').waitFor();
  await picture(page, 'apis-icon');
  await page.getByRole('link', { name: /^Stock/ }).click();
  await page.getByRole('button', { name: 'Remove icon' }).click();
  await page.getByRole('button', { name: 'Add an icon' }).waitFor();
  expect((await api()).icon).toBeUndefined();
});

test('the applications of an API are named, and an API is taken away from one', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/console/apis/Stock%3A1.0`);
  await page.getByRole('tab', { name: 'Applications' }).click();
  const rows = page.getByRole('tabpanel').getByRole('listitem');
  await rows.filter({ hasText: 'till' }).getByText('It names the API').waitFor();
  await rows.filter({ hasText: 'website' }).getByText('Pending').waitFor();
  await rows.filter({ hasText: 'website' }).getByText('Plan free').waitFor();
  expect(await rows.count()).toBe(2);
  await accessible(page, 'applications of an API');
  await picture(page, 'api-applications');
  await page.getByRole('button', { name: 'Take the API away from till' }).click();
  await accessible(page, 'taking away');
  await page.getByRole('dialog').getByRole('button', { name: 'Take the API away' }).click();
  await page.getByText('till may not call the API any more').waitFor();
  await expect.poll(() => rows.count()).toBe(1);
  const till = await (await gateway.ask('GET', '/applications/till')).json();
  expect(till.spec.apis ?? []).toEqual([]);
});

test('a plan is written in sentences, with units', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/console/assets/plans/new`);
  await page.getByLabel('Name').fill('gold');
  await page.getByLabel('Title').fill('Gold');
  await page.getByRole('switch', { name: 'Limit how fast requests come' }).click();
  const rate = page.getByRole('group', { name: 'Rate' });
  await rate.getByRole('textbox', { name: 'Requests' }).fill('300');
  await rate.getByLabel('Within').fill('2');
  await rate.getByRole('combobox', { name: 'Unit' }).click();
  await page.getByRole('option', { name: 'minutes' }).click();
  await page.getByRole('switch', { name: 'Limit how many requests there are in a time' }).click();
  const quota = page.getByRole('group', { name: 'Quota' });
  await quota.getByLabel('Every').fill('400');
  const stop = page.getByRole('switch', { name: 'Refuse requests when the quota is used up' });
  expect(await stop.isChecked()).toBe(true);
  await stop.click();
  await page.getByText('Checked: the gateway can serve this.').waitFor();
  // No more than the gateway takes is written.
  await quota.getByRole('textbox', { name: 'Requests' }).click();
  expect(await quota.getByLabel('Every').inputValue()).toBe('255');
  await quota.getByLabel('Every').fill('3');
  await page.getByText('Checked: the gateway can serve this.').waitFor();
  await accessible(page, 'plan');
  await picture(page, 'plan');
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText(/gold was saved/).waitFor();
  const plan = await (await gateway.ask('GET', '/plans/gold')).json();
  expect(plan.spec).toEqual({
    name: 'gold',
    displayName: 'Gold',
    rate: { requests: 300, window: '2m' },
    quota: { requests: 10_000, per: 'month', units: 3 },
    stopOnQuotaReach: false,
  });
  await page.reload();
  expect(await stop.isChecked()).toBe(false);
  expect(await rate.getByLabel('Within').inputValue()).toBe('2');
  expect(await quota.getByRole('combobox', { name: 'Unit' }).inputValue()).toBe('months');
  await page.goto(`${gateway.admin}/console/assets/plans`);
  await page.getByText('300 / 2m').waitFor();
  await page.getByText('10000 / 3 month').waitFor();
});
