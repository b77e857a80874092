/** Users of an identity provider elsewhere log in at the console and the portal, and its tokens open APIs. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, picture, type Visit, visit } from './browser';
import { freePort, Gateway } from './gateway';
import { AUDIENCE, CLIENT_SECRET, Provider } from './provider';

let gateway: Gateway;
let provider: Provider;
let browser: Browser;
let at: Visit;

beforeAll(async () => {
  const port = await freePort();
  const admin = `http://127.0.0.1:${port}`;
  provider = await Provider.start(`${admin}/api/v1/login/oidc/corp/callback`);
  process.env.CORP_CLIENT_SECRET = CLIENT_SECRET;
  const corp = {
    name: 'corp',
    label: 'Company login',
    issuer: provider.issuer,
    clientId: 'gatewright',
    clientSecret: '${env:CORP_CLIENT_SECRET}',
    publicUrl: admin,
    groups: [{ value: 'operators', group: 'Administrators' }],
    othersUsePortal: true,
  };
  [gateway, browser] = await Promise.all([
    Gateway.start('', { address: `127.0.0.1:${port}`, openIdConnect: [corp] }),
    launch(),
  ]);
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
  provider.stop();
});

beforeEach(async () => {
  at = await visit(browser, gateway, 'en-GB', [provider.issuer]);
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
  await picture(page, 'provider-login');
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

test('tokens of the provider open an API for the application that has its client', async () => {
  await gateway.ask('POST', '/authorizationServers', {
    name: 'corp',
    issuer: provider.issuer,
    audiences: [AUDIENCE],
  });
  await gateway.ask('POST', '/upstreams', { name: 'orders', endpoints: [{ url: gateway.upstream }] });
  const rules = [{ type: 'oauth2Token', servers: ['corp'], scopes: ['orders.read'] }];
  await gateway.ask('POST', '/apis', {
    name: 'orders',
    version: '1',
    basePath: '/orders',
    upstream: 'orders',
    policies: [{ type: 'identifyAndAuthorize', config: { rules } }],
  });
  await gateway.ask('POST', '/applications', {
    name: 'shop',
    apis: ['orders'],
    identifiers: { clientIds: [{ id: 'gatewright' }] },
  });
  const token = await provider.token();
  const call = (shown: string) =>
    fetch(`${gateway.listener}/orders`, { headers: { authorization: `Bearer ${shown}` } });
  // Keys are fetched beside requests.
  await expect.poll(async () => (await call(token)).status).toBe(200);
  const [head = '', claims = '', signature = ''] = token.split('.');
  expect((await call(`${head}.${claims}.${signature.slice(0, -6)}AAAAAA`)).status).toBe(401);
});
