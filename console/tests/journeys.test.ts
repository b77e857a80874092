/** What people come for, from end to end, in a real browser against the real program. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, type Visit, visit } from './browser';
import { Gateway } from './gateway';
import { PETS } from './pets';

let gateway: Gateway;
let browser: Browser;
let at: Visit;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
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

test('a wrong password is told, the right one lets in', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', 'not the password');
  await page.getByText('The user or the password is wrong.').waitFor();
  await accessible(page, 'login');
  await picture(page, 'login');
  await page.getByLabel('Password', { exact: true }).fill(gateway.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Publish your first API' }).waitFor();
  await accessible(page, 'no APIs yet');
  await picture(page, 'apis-empty');
});

test('from a document to a call that is explained', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Import an API' }).first().click();
  await page.getByRole('tab', { name: 'Paste' }).click();
  await page.getByLabel('OpenAPI document', { exact: true }).fill(PETS);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('Upstream').fill(gateway.upstream);
  await page.getByText('The document is valid and can be served.').waitFor();
  await accessible(page, 'import');
  await picture(page, 'import');
  await page.getByRole('button', { name: 'Import and activate' }).click();
  await page.getByRole('heading', { name: 'Pets 1.0' }).waitFor();
  await page.getByText('Waiting for the first call').waitFor();

  const line = (await page.getByRole('region', { name: 'Call it' }).textContent()) ?? '';
  const url = /'(http[^']+)'/.exec(line)?.[1] ?? '';
  expect(url).toBe(`${gateway.listener}/gateway/Pets/1.0/pets`);
  expect((await fetch(url)).status).toBe(200);

  const call = page.getByRole('link', { name: '/gateway/Pets/1.0/pets' });
  await call.waitFor();
  await accessible(page, 'API');
  await picture(page, 'api');
  await call.click();
  await page.getByText('It reached listPets of Pets 1.0.').waitFor();
  await page.getByText(gateway.upstream).waitFor();
  await accessible(page, 'explanation');
  await picture(page, 'explain');
  await page.getByRole('button', { name: 'Ask again as dry run' }).click();
  await page.getByText('nothing was sent or counted').waitFor();
});

test('a policy is added from its form, and an earlier revision comes back', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: /^Pets/ }).click();
  await page.getByRole('tab', { name: /Policies/ }).click();
  await page.getByRole('button', { name: 'Add a policy to Traffic monitoring' }).click();
  await page.getByRole('button', { name: /^rateLimit/ }).click();
  await page.getByLabel(/^limit/).fill('1');
  await page.getByLabel(/^window/).fill('1h');
  await accessible(page, 'policy form');
  await picture(page, 'policy');
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByText('Checked: the gateway can serve this.').waitFor();
  await page.getByLabel('Why').fill('one call each');
  await picture(page, 'review');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText(/was saved as revision/).waitFor();
  await page.getByRole('button', { name: 'Edit rateLimit' }).waitFor();
  await accessible(page, 'policies');
  await picture(page, 'policies');

  const url = `${gateway.listener}/gateway/Pets/1.0/pets`;
  expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([200, 429]);

  await page.getByRole('tab', { name: 'History' }).click();
  await page.getByText('one call each').waitFor();
  await accessible(page, 'history');
  await picture(page, 'history');
  await page.getByRole('button', { name: 'Restore' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
  await page.getByText(/was restored/).waitFor();
  expect((await fetch(url)).status).toBe(200);
});

test('who was slower sees what the other one changed, and loses nothing', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  await page.goto(`${gateway.admin}/console/apis/Pets%3A1.0?tab=edit`);
  await page
    .getByRole('button', { name: /more settings/ })
    .first()
    .click();
  await page.getByLabel('basePath').fill('/animals');
  await page.getByText('Checked: the gateway can serve this.').waitFor();
  await accessible(page, 'editor');
  await picture(page, 'editor');
  await gateway.ask('PATCH', '/apis/Pets:1.0', { tags: ['other'] });
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByText('Somebody else changed this').waitFor();
  await accessible(page, 'conflict');
  await picture(page, 'conflict');
  await page.getByRole('button', { name: 'Keep mine' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText(/was saved as revision/).waitFor();
  const api = await (await gateway.ask('GET', '/apis/Pets:1.0')).json();
  expect(api.spec.basePath).toBe('/animals');
});

test('a problem is shown at its field', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Upstreams' }).click();
  await page.getByRole('link', { name: 'New: Upstream' }).first().click();
  await page.getByLabel('name').fill('orders');
  await page.getByRole('button', { name: 'Add to endpoints' }).click();
  await page.getByLabel('url').fill('nowhere');
  await page
    .getByText(/found `nowhere`, expected a URL/)
    .first()
    .waitFor();
  await accessible(page, 'form with a problem');
  await picture(page, 'form-problem');
  await page.getByLabel('url').fill('http://127.0.0.1:1');
  await page.getByText('Checked: the gateway can serve this.').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('heading', { name: 'orders' }).waitFor();
});

test('what others depend on is not deleted, and they are named', async () => {
  const { page } = at;
  await gateway.ask('POST', '/apis', { name: 'Orders', upstream: 'orders' });
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Upstreams' }).click();
  await page.getByRole('link', { name: /^orders/ }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('api Orders:1.0').waitFor();
  await accessible(page, 'delete');
  await picture(page, 'delete');
});

test('a new user gets a temporary password, and may do only what their group may', async () => {
  const { page } = at;
  await gateway.ask('POST', '/users', { name: 'paula', groups: ['API-Gateway-Providers'] });
  await gateway.ask('PUT', '/users/paula/password', { password: 'a first password', temporary: true });
  await logIn(page, gateway, 'paula', 'a first password');
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  await accessible(page, 'temporary password');
  await picture(page, 'temporary-password');
  await page.getByLabel('Current password').fill('a first password');
  await page.getByLabel('New password', { exact: true }).fill('a password of my own');
  await page.getByLabel('New password again').fill('a password of my own');
  await page.getByRole('button', { name: 'Change password' }).click();

  const navigation = page.getByRole('navigation', { name: 'Main navigation' });
  await navigation.getByRole('link', { name: 'APIs' }).waitFor();
  await navigation.getByRole('link', { name: 'Upstreams' }).waitFor();
  expect(await navigation.getByRole('link', { name: 'Users' }).count()).toBe(0);
  expect(await navigation.getByRole('link', { name: 'Audit log' }).count()).toBe(0);
  await page.goto(`${gateway.admin}/console/assets/users`);
  await page.getByRole('heading', { name: 'Users' }).waitFor();
  expect(await page.getByRole('link', { name: 'New: User' }).count()).toBe(0);
});

test('a token is shown once', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByLabel('Name').fill('pipeline');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Copy the token now').waitFor();
  const token = ((await page.getByRole('region', { name: 'Token' }).textContent()) ?? '').trim();
  const who = await fetch(`${gateway.admin}/api/v1/whoami`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect((await who.json()).user).toBe('Administrator');
  await accessible(page, 'account');
  await picture(page, 'account');
});

test('an ended session is taken up again where it was', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Upstreams' }).click();
  await page.getByRole('link', { name: 'New: Upstream' }).first().click();
  await page.getByLabel('name').fill('kept');
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Add to endpoints' }).click();
  await page.getByText('Your session has ended').waitFor();
  await accessible(page, 'ended session');
  await picture(page, 'session-ended');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Password', { exact: true }).fill(gateway.password);
  await dialog.getByRole('button', { name: 'Log in' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await page.getByLabel('name').inputValue()).toBe('kept');
});

test('a lost connection is told, and found again', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  await page.context().setOffline(true);
  await page.getByRole('link', { name: 'Node status' }).click();
  await page.getByText('No connection to the gateway').first().waitFor();
  await page.context().setOffline(false);
  await page.getByText('No connection to the gateway').first().waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: 'Listeners' }).waitFor();
});
