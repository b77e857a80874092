/** What the gateway is set to: where it comes from, what is not as by default, and a change that counts for all nodes. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, visit } from './browser';
import { Gateway } from './gateway';

let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    Gateway.start('  faults: { defaultMessage: "Call us." }\n'),
    launch(),
  ]);
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

test('settings say where they come from and what was changed', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const faults = page.getByRole('region', { name: 'faults', exact: true });
  await faults.getByText('From the file of the node', { exact: true }).waitFor();
  await page
    .getByRole('region', { name: 'limits', exact: true })
    .getByText('Defaults', { exact: true })
    .waitFor();
  await accessible(page, 'settings');
  await picture(page, 'settings');

  await page
    .getByRole('switch', { name: 'Only those that differ from their default' })
    .check({ force: true });
  const rows = page.getByRole('main').getByRole('listitem');
  await expect.poll(() => rows.count()).toBe(1);
  const differing = await rows.allInnerTexts();
  expect(differing.map((text) => text.split(/\s/)[0])).toEqual(['defaultMessage']);
  await picture(page, 'settings-changed');

  await gateway.ask('POST', '/sharedSettings', { name: 'settings', limits: { bodySize: '3MiB' } });
  await page.reload();
  const limits = page.getByRole('region', { name: 'limits', exact: true });
  await limits.getByText('For all nodes', { exact: true }).waitFor();
  await limits.getByText('3MiB', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Change settings' }).click();
  await page.getByRole('heading', { name: 'settings', exact: true }).waitFor();
  expect(page.url()).toContain('/assets/sharedSettings/of/settings');
  expect(wrong).toEqual([]);
  await close();
});
