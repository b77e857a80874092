/** Consumers get OAuth credentials for their applications, and try an API with a token that these open. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, picture, type Visit, visit } from './browser';
import { freePort, Gateway } from './gateway';
import { addConsumer, PASSWORD } from './shop';

let gateway: Gateway;
let browser: Browser;
let at: Visit;
let issuer: string;

beforeAll(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  [gateway, browser] = await Promise.all([
    Gateway.start(
      `  authorizationServer: { issuer: ${issuer}, address: "127.0.0.1:${port}", signingAlgorithm: ES256 }`,
    ),
    launch(),
  ]);
  const boats = `
openapi: 3.1.0
info: { title: Boats, version: "1.0" }
security: [{ login: [boats.read] }]
paths:
  /boats:
    get: { operationId: listBoats, summary: All boats, responses: { "200": { description: The boats. } } }
components:
  securitySchemes:
    login: { type: oauth2, flows: { clientCredentials: { tokenUrl: "${issuer}/token", scopes: { boats.read: Read } } } }
`;
  const octets = { 'content-type': 'application/octet-stream' };
  await gateway.ask('POST', `/apis/import?upstream=${gateway.upstream}&basePath=/boats/v1`, boats, octets);
  await gateway.ask('POST', '/apply', {
    authorizationServers: [{ name: 'local', internal: true }],
    groups: [{ name: 'consumers' }],
    plans: [{ name: 'free' }],
    portals: [{ title: 'Harbour APIs', oauthScopes: ['boats.read'] }],
  });
  const rules = [{ type: 'oauth2Token', servers: ['local'], scopes: ['boats.read'] }];
  await gateway.ask('PATCH', '/apis/Boats:1.0', {
    policies: [{ type: 'identifyAndAuthorize', config: { rules } }],
    plans: ['free'],
    portal: { visibility: 'public' },
  });
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

/** Logs in, and makes an application that is subscribed to the API. */
async function enter(page: Page, user: string, application: string): Promise<void> {
  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
  const statuses = await page.evaluate(async (application) => {
    const session = (await (await fetch('/api/v1/session')).json()) as { csrf: string };
    const headers = { 'content-type': 'application/json', 'x-csrf-token': session.csrf };
    const post = async (path: string, body: object) => {
      const request = { method: 'POST', headers, body: JSON.stringify(body) };
      return (await fetch(`/api/v1/portal/${path}`, request)).status;
    };
    return [
      await post('applications', { name: application, origins: [] }),
      await post('subscriptions', { application, api: 'Boats', plan: 'free' }),
    ];
  }, application);
  expect(statuses).toEqual([201, 201]);
  await page.goto(`${gateway.admin}/portal/applications/${application}`);
}

/** What the page tells once, by what it is called. */
async function told(page: Page, label: string): Promise<string> {
  const text = await page.getByRole('dialog').getByRole('region', { name: label }).textContent();
  return (text ?? '').trim();
}

async function tokenWith(id: string, secret: string): Promise<{ status: number; token: string }> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'boats.read' }),
  });
  const answer = (await response.json()) as { access_token?: string };
  return { status: response.status, token: answer.access_token ?? '' };
}

async function statusWith(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${gateway.listener}/boats/v1/boats`, { headers })).status;
}

test('a consumer makes credentials, and Try gets a token with which the call is answered', async () => {
  const { page } = at;
  await enter(page, 'ann', 'kiosk');
  const clients = page.getByRole('region', { name: 'OAuth 2.0 clients' });
  await clients.getByText('No client yet').waitFor();
  await clients.getByRole('button', { name: 'Create client' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name of the client').fill('Till');
  await accessible(page, 'new OAuth client');
  await picture(page, 'portal-oauth-new');
  await dialog.getByRole('button', { name: 'Create client' }).click();
  await dialog.getByText('It is shown only this once').waitFor();
  await accessible(page, 'OAuth client');
  await picture(page, 'portal-oauth-told');
  const [id, secret] = [await told(page, 'Client ID'), await told(page, 'Client secret')];
  expect(await told(page, 'Get a token in a terminal')).toBe(
    `curl -u ${id} -d grant_type=client_credentials -d 'scope=boats.read' '${issuer}/token'`,
  );
  await page.getByRole('button', { name: 'I have kept it' }).click();
  const own = await tokenWith(id, secret);
  expect([own.status, await statusWith(own.token)], 'the secret is right').toEqual([200, 200]);

  await page.goto(`${gateway.admin}/portal/apis/Boats%3A1.0?tab=reference&at=listBoats`);
  const trial = page.getByRole('region', { name: 'Try it' });
  const answer = trial.getByRole('status', { name: 'Answer' });
  await trial.getByRole('button', { name: 'Send request' }).click();
  await answer.getByText('401', { exact: true }).waitFor();
  await trial.getByRole('button', { name: 'Get a token' }).click();
  await trial.getByText('This token acts for kiosk, for 10 minutes at most.').waitFor();
  await trial.getByRole('button', { name: 'Send request' }).click();
  await answer.getByText('200', { exact: true }).waitFor();
  await answer.getByText('"path": "/boats"').waitFor();
  await accessible(page, 'try with a fetched token');
  await picture(page, 'portal-oauth-try');
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(stored).not.toMatch(/gwa_|gws_/);
});

test('a secret is rotated without interruption, and a client is deleted with its tokens', async () => {
  const { page } = at;
  await enter(page, 'pam', 'till');
  const clients = page.getByRole('region', { name: 'OAuth 2.0 clients' });
  await clients.getByRole('button', { name: 'Create client' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Create client' }).click();
  await page.getByText('It is shown only this once').waitFor();
  const [id, first] = [await told(page, 'Client ID'), await told(page, 'Client secret')];
  await page.getByRole('button', { name: 'I have kept it' }).click();
  await clients.getByRole('button', { name: /^Rotate the secret/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await page.getByText('It is shown only this once').waitFor();
  const second = await told(page, 'Client secret');
  await page.getByRole('button', { name: 'I have kept it' }).click();
  const [before, after] = [await tokenWith(id, first), await tokenWith(id, second)];
  expect([before.status, after.status], 'both, for a day').toEqual([200, 200]);
  await page.reload();
  await clients.getByText(/^Old secret ends /).waitFor();
  await clients.getByRole('button', { name: /^Get a token for client/ }).click();
  await clients.getByRole('region', { name: 'Token endpoint' }).getByText(`${issuer}/token`).waitFor();
  await accessible(page, 'OAuth clients');
  await picture(page, 'portal-oauth-clients');
  await clients.getByRole('button', { name: /^Rotate the secret/ }).click();
  await page.getByText('both end now').waitFor();
  await page.keyboard.press('Escape');

  // A page in a browser, which has no secret, and where users come back to.
  await clients.getByRole('button', { name: 'Create client' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'App or page in a browser' }).check();
  await dialog.getByLabel('Redirect URIs').fill('http://shop.example/back');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Create client' }).click();
  await dialog.getByText('expected https; http is for loopback').waitFor();
  await picture(page, 'portal-oauth-refused');
  await page.keyboard.press('Escape');

  await clients.getByRole('button', { name: /^Delete client/ }).click();
  await page.getByText('tokens that it has are refused from now on').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByText('The client was deleted').waitFor();
  await clients.getByText('No client yet').waitFor();
  expect([(await tokenWith(id, second)).status, await statusWith(after.token)]).toEqual([401, 401]);
});
