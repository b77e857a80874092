/** What people come for, from end to end, in a real browser against the real program. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, type Visit, visit } from './browser';
import { freePort, Gateway } from './gateway';
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
  // The same from the page itself, for another operation, with what its schema says.
  await page.getByRole('combobox', { name: 'Operation to call' }).click();
  await page.getByRole('option', { name: 'POST /pets' }).click();
  expect(await page.getByLabel('Body', { exact: true }).inputValue()).toContain('"name": "Rex"');
  await page.getByRole('button', { name: 'Send' }).click();
  const answer = page.getByRole('region', { name: 'Answer' });
  await answer.getByText('"path": "/pets"').waitFor();
  await accessible(page, 'tried');
  await picture(page, 'try');
  await answer.getByRole('link', { name: 'Why it went this way' }).click();
  await page.getByText('It reached addPet of Pets 1.0.').waitFor();
  await page.goBack();
  await call.first().waitFor();
  await accessible(page, 'API');
  await picture(page, 'api');
  await page.getByRole('link', { name: /GET \/gateway\/Pets\/1.0\/pets/ }).click();
  await page.getByText('It reached listPets of Pets 1.0.').waitFor();
  await page.getByText(gateway.upstream).waitFor();
  await accessible(page, 'explanation');
  await picture(page, 'explain');
  await page.getByRole('button', { name: 'Ask again as dry run' }).click();
  await page.getByText('nothing was sent or counted').waitFor();
  // And as it would have gone before there was the API.
  await page.getByRole('combobox', { name: 'Configuration' }).click();
  await page.getByRole('option', { name: /^Revision 1 / }).click();
  await page.getByRole('button', { name: 'Ask again as dry run' }).click();
  await page.getByRole('heading', { name: 'As it would go at revision 1' }).waitFor();
  await page.getByText('No API is published at this address.', { exact: true }).waitFor();
  await accessible(page, 'explanation at a revision');
  await picture(page, 'explain-revision');
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

test('a certificate keeps its lines', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Truststores' }).click();
  await page.getByRole('link', { name: 'New: Truststore' }).first().click();
  await page.getByLabel('name').fill('partners');
  await page
    .getByRole('button', { name: /more settings?/ })
    .first()
    .click();
  await page.getByLabel('content').fill('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const yaml = page.getByRole('textbox', { name: 'YAML' });
  await yaml.getByText('-----END CERTIFICATE-----').waitFor();
  expect(await yaml.textContent()).toMatch(/content: \|\s*-----BEGIN CERTIFICATE-----\s*AAAA\s*-----END/);
  await accessible(page, 'truststore');
  await picture(page, 'new-truststore');
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

test('a definition is fetched from a URL, looked at, and imported', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Import an API' }).first().click();
  await page.getByRole('tab', { name: 'URL' }).click();
  const url = page.getByLabel('URL of the OpenAPI document');
  await url.fill(`${gateway.upstream}/nothing`);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('The definition could not be fetched').waitFor();
  await accessible(page, 'import by URL');
  await picture(page, 'import-url');
  await url.fill(`${gateway.upstream}/birds.yaml`);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('The document is valid and can be served.').waitFor();
  await page.getByText('1 operation').waitFor();
  expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('Birds');
  await page.getByLabel('Upstream').fill(gateway.upstream);
  await page.getByRole('button', { name: 'Import and activate' }).click();
  await page.getByRole('heading', { name: 'Birds 1.0' }).waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('"path": "/birds"').waitFor();
});

test('an operation has policies of its own, and tells what gives way to them', async () => {
  const { page } = at;
  const rateLimit = (limit: number) => ({ type: 'rateLimit', config: { limit, window: '1h' } });
  await gateway.ask('PATCH', '/apis/Birds:1.0', {
    policies: [rateLimit(1000), { type: 'apiKey' }],
  });
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: /^Birds/ }).click();
  await page.getByRole('tab', { name: /Policies/ }).click();
  await page.getByRole('combobox', { name: 'Policies of' }).click();
  await page.getByRole('option', { name: 'GET /birds' }).click();
  await page.getByText('From the API').first().waitFor();
  await page.getByRole('button', { name: 'Add a policy to Traffic monitoring' }).click();
  await page.getByRole('button', { name: /^rateLimit/ }).click();
  await page.getByLabel(/^limit/).fill('1');
  await page.getByLabel(/^window/).fill('nonsense');
  await page.getByText(/found `nonsense`/).waitFor();
  await page.getByLabel(/^window/).fill('1h');
  await page.getByText('the gateway can serve the API with this policy').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText(/was saved as revision/).waitFor();
  // Of keys, one policy can ask: the one of the operation does.
  await page.getByRole('button', { name: 'Add a policy to Identify & access' }).click();
  await page.getByRole('button', { name: /^apiKey/ }).click();
  await page.getByText('the gateway can serve the API with this policy').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('No effect').waitFor();
  await accessible(page, 'policies of an operation');
  await picture(page, 'policies-operation');
  const api = await (await gateway.ask('GET', '/apis/Birds:1.0')).json();
  expect(api.spec.operationPolicies).toEqual([
    { operation: 'listBirds', policies: [rateLimit(1), { type: 'apiKey' }] },
  ]);
  await page.getByRole('button', { name: 'Remove apiKey' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('No effect').waitFor({ state: 'detached' });
});

test('several are changed at once, each tells how it went, and all come back', async () => {
  const { page } = at;
  for (const name of ['Bulk one', 'Bulk two']) {
    await gateway.ask('POST', '/apis', { name, upstream: gateway.upstream });
  }
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('searchbox').fill('Bulk');
  await page.getByText('2 entries').waitFor();
  await page.getByLabel('Choose all that are loaded').check();
  await page.getByRole('button', { name: 'Deactivate' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Deactivate (2)' }).click();
  await dialog.getByRole('button', { name: 'Undo all' }).waitFor();
  expect((await fetch(`${gateway.listener}/gateway/Bulk%20one/1.0/`)).status).toBe(404);
  await accessible(page, 'bulk change');
  await picture(page, 'bulk');
  await dialog.getByRole('button', { name: 'Undo all' }).click();
  await dialog.getByText('As it was').nth(1).waitFor();
  expect((await fetch(`${gateway.listener}/gateway/Bulk%20one/1.0/`)).status).toBe(200);
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  await page.getByLabel('Choose all that are loaded').check();
  await accessible(page, 'chosen');
  await picture(page, 'chosen');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByLabel('Type 2 to confirm').fill('2');
  await dialog.getByRole('button', { name: 'Delete (2)' }).click();
  await dialog.getByRole('button', { name: 'Undo all' }).click();
  await dialog.getByText('As it was').nth(1).waitFor();
  expect((await gateway.ask('GET', '/apis/Bulk two:1.0')).status).toBe(200);
});

test('everything is found by its name, from the keyboard', async () => {
  const { page } = at;
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('searchbox').waitFor();
  await page.keyboard.press('/');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('type'))).toBe('search');
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Search everything' });
  await field.fill('birds');
  await page.getByRole('option', { name: /Birds:1.0/ }).waitFor();
  await accessible(page, 'palette');
  await picture(page, 'palette');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Birds 1.0' }).waitFor();
});

test('requests are narrowed down by what one knows of them', async () => {
  const { page } = at;
  await fetch(`${gateway.listener}/nowhere`);
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Requests' }).click();
  // The page before has a search of its own.
  await page.getByRole('heading', { level: 1, name: 'Requests' }).waitFor();
  await page.getByRole('searchbox').fill('no_route');
  await page.getByRole('link', { name: /nowhere/ }).waitFor();
  await page.getByRole('link', { name: /Pets/ }).first().waitFor({ state: 'detached' });
  await page.getByRole('searchbox').fill('/gateway/Birds');
  await page
    .getByRole('link', { name: /\/gateway\/Birds/ })
    .first()
    .waitFor();
  await page
    .getByRole('link', { name: /nowhere/ })
    .first()
    .waitFor({ state: 'detached' });
  await page.getByRole('combobox', { name: 'Status' }).click();
  await page.getByRole('option', { name: '5xx' }).click();
  await page.getByText('No request matches').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page
    .getByRole('link', { name: /nowhere/ })
    .first()
    .waitFor();
});

test('an API that broke is found, explained and put right', async () => {
  const { page } = at;
  await gateway.ask('POST', '/apis', { name: 'Fish', basePath: '/fish', upstream: gateway.upstream });
  const url = `${gateway.listener}/fish/1`;
  expect((await fetch(url)).status).toBe(200);
  const nobody = `http://127.0.0.1:${await freePort()}`;
  await gateway.ask('PATCH', '/apis/Fish:1.0?reason=another%20machine', { upstream: nobody });
  expect((await fetch(url)).status).toBe(502);

  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Requests' }).click();
  await page.getByRole('heading', { level: 1, name: 'Requests' }).waitFor();
  await page.getByRole('combobox', { name: 'Status' }).click();
  await page.getByRole('option', { name: '5xx' }).click();
  await page.getByRole('link', { name: /\/fish\/1/ }).click();
  await page.getByText('The native service could not be reached.').first().waitFor();
  await page.getByText(nobody).first().waitFor();
  await accessible(page, 'broken API');
  await picture(page, 'broken');
  // Before the change it would have gone elsewhere; and there it goes again.
  await page.goto(`${gateway.admin}/console/apis/Fish%3A1.0?tab=history`);
  await page.getByText('another machine').waitFor();
  await page.getByRole('button', { name: 'Restore' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
  await page.getByText(/was restored/).waitFor();
  expect((await fetch(url)).status).toBe(200);
});

test('who is locked out is let in again', async () => {
  const { page } = at;
  await gateway.ask('POST', '/users', { name: 'lena' });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await fetch(`${gateway.admin}/api/v1/whoami`, {
      headers: { authorization: `Basic ${Buffer.from('lena:wrong').toString('base64')}` },
    });
  }
  await logIn(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'Unlock lena' }).waitFor();
  await accessible(page, 'locked accounts');
  await picture(page, 'locked');
  await page.getByRole('button', { name: 'Unlock lena' }).click();
  await page.getByText('lena can log in again').waitFor();
  await page.getByRole('button', { name: 'Unlock lena' }).waitFor({ state: 'detached' });
});
