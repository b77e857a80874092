/** Users of an identity provider elsewhere log in at the console and the portal, by SAML 2.0. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, type Visit, visit } from './browser';
import { freePort, Gateway } from './gateway';
import { SamlProvider } from './saml-provider';

let gateway: Gateway;
let provider: SamlProvider;
let browser: Browser;
let at: Visit;

beforeAll(async () => {
  const port = await freePort();
  provider = await SamlProvider.start();
  const corp = {
    name: 'corp',
    label: 'Company login',
    identityProvider: { metadataUrl: provider.metadataUrl },
    publicUrl: `http://127.0.0.1:${port}`,
    groups: [{ value: 'operators', group: 'Administrators' }],
    othersUsePortal: true,
  };
  [gateway, browser] = await Promise.all([
    Gateway.start('', { address: `127.0.0.1:${port}`, saml: [corp] }, { GATEWRIGHT_LOG: 'trace' }),
    launch(),
  ]);
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
  provider.stop();
});

beforeEach(async () => {
  at = await visit(browser, gateway, 'en-GB', [provider.url]);
});

afterEach(async () => {
  await at.close();
  expect(at.wrong).toEqual([]);
});

async function logInAs(page: Page, user: string): Promise<void> {
  await page.getByRole('link', { name: 'Company login' }).click();
  await page.getByLabel('Name at the provider').fill(user);
  await page.getByRole('button', { name: 'Go on' }).click();
}

test('an operator of the company logs in at the console', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/`);
  await page.getByRole('link', { name: 'Company login' }).waitFor();
  await accessible(page, 'log in with a provider');
  await logInAs(page, 'olga');
  await page.getByText('corp:olga').first().waitFor();
  const status = await page.evaluate(() => fetch('/api/v1/users').then((response) => response.status));
  expect(status).toBe(200);
});

test('somebody else of the company finds the portal, and not the console', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/login`);
  await logInAs(page, 'nina');
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
  const status = await page.evaluate(() => fetch('/api/v1/users').then((response) => response.status));
  expect(status).toBe(403);
});

test('the page says why nobody was let in, and the log has nothing of what was sent', async () => {
  const { page } = at;
  const response = provider.sent.at(-1) ?? '';
  const again = await fetch(`${gateway.admin}/api/v1/login/saml/corp/acs`, {
    method: 'POST',
    body: new URLSearchParams({ SAMLResponse: response, RelayState: '/portal/apis' }),
    redirect: 'manual',
  });
  const location = again.headers.get('location') ?? '';
  expect(location).toBe('/portal/apis?loginError=login_response_replayed');
  await page.goto(`${gateway.admin}/portal/login?loginError=login_response_replayed`);
  await page.getByRole('alert').getByText('Try again').waitFor();
  await expect.poll(() => gateway.log).toContain('login_response_replayed');
  expect(response.length).toBeGreaterThan(1000);
  for (const secret of [response.slice(0, 64), 'SignatureValue', 'gatewright_login=', 'ticket=']) {
    expect(gateway.log).not.toContain(secret);
  }
});
