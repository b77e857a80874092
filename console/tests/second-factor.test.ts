/** A second factor: set up, asked for at the next login, seen and reset by who manages users. */
import { createHmac } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, visit } from './browser';
import { Gateway } from './gateway';

const PASSWORD = 'correct horse battery';

let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([Gateway.start(), launch()]);
  for (const [name, groups] of [
    ['pat', ['API-Gateway-Providers']],
    ['sam', []],
  ]) {
    await gateway.ask('POST', '/users', { name, groups });
    await gateway.ask('PUT', `/users/${name}/password`, { password: PASSWORD });
  }
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

/** What an app shows (RFC 6238), a number of steps from now. */
function code(secret: string, steps = 0): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = (mac[19] ?? 0) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Goes through the set-up on the page; the secret and the first recovery code. */
async function setUp(page: Page, name: string): Promise<{ secret: string; recovery: string }> {
  await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor();
  const shown = await page.getByRole('region', { name: 'Secret for your authenticator app' }).innerText();
  const secret = shown.replaceAll(' ', '').trim();
  await accessible(page, `${name}-set-up`);
  await picture(page, `${name}-set-up`);
  await page.getByLabel('Code', { exact: true }).fill('nothing');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('The code is wrong. Is the clock of your phone right?').waitFor();
  await page.getByLabel('Code', { exact: true }).fill(code(secret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  const told = page.getByRole('region', { name: 'Recovery codes' });
  const codes = (await told.innerText()).trim().split('\n');
  expect(codes).toHaveLength(10);
  await accessible(page, `${name}-recovery-codes`);
  await picture(page, `${name}-recovery-codes`);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  return { secret, recovery: codes[0] ?? '' };
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Password', { exact: true }).waitFor();
}

test('who sets one up logs in with a code, and who has lost it with a recovery code', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await logIn(page, gateway, 'pat', PASSWORD);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  await page.goto(`${gateway.admin}/console/account`);
  await page.getByRole('button', { name: 'Set up' }).click();
  const { secret, recovery } = await setUp(page, 'second-factor');
  await page.getByText('It is on: logging in asks for a code of your authenticator app.').waitFor();
  await page.getByText('10 recovery codes are left.').waitFor();

  await logOut(page);
  await logIn(page, gateway, 'pat', PASSWORD);
  await page.getByLabel('Code', { exact: true }).waitFor();
  await accessible(page, 'second-factor-login');
  await picture(page, 'second-factor-login');
  // It was used to confirm it.
  await page.getByLabel('Code', { exact: true }).fill('000000');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('The code is wrong, or was used before.').waitFor();
  // Codes of one step ahead count, too, so that nobody waits here for half a minute.
  await page.getByLabel('Code', { exact: true }).fill(code(secret, 1));
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'APIs' }).waitFor();

  await logOut(page);
  await logIn(page, gateway, 'pat', PASSWORD);
  await page.getByLabel('Code', { exact: true }).fill(recovery);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'APIs' }).waitFor();

  // Turning it off needs the password and a code.
  await page.goto(`${gateway.admin}/console/account`);
  await page.getByText('9 recovery codes are left.').waitFor();
  await page.getByRole('button', { name: 'Turn off' }).click();
  await accessible(page, 'second-factor-off');
  await page.getByRole('button', { name: 'Back', exact: true }).click();
  await close();

  const admin = await visit(browser, gateway);
  await logIn(admin.page, gateway, 'Administrator', gateway.password);
  await admin.page.getByRole('heading', { name: 'APIs' }).waitFor();
  await admin.page.goto(`${gateway.admin}/console/assets/users`);
  await admin.page.getByText('1 user has a second factor.').waitFor();
  await admin.page.getByRole('button', { name: 'Show', exact: true }).click();
  await admin.page.getByRole('button', { name: 'Reset the second factor of pat' }).waitFor();
  await accessible(admin.page, 'second-factors');
  await picture(admin.page, 'second-factors');
  await admin.page.getByRole('button', { name: 'Reset the second factor of pat' }).click();
  await admin.page.getByText('1 user has a second factor.').waitFor({ state: 'detached' });
  await admin.close();
  expect([...wrong, ...admin.wrong]).toEqual([]);
});

test('in the portal, too', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await page.goto(`${gateway.admin}/portal/login?to=/account`);
  await page.getByLabel('User', { exact: true }).fill('sam');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'Set up' }).click();
  await setUp(page, 'portal-second-factor');
  await page.getByText('It is on: logging in asks for a code of your authenticator app.').waitFor();
  await close();
  expect(wrong).toEqual([]);
});

test('where it is required, it comes first', async () => {
  const strict = await Gateway.start('', { secondFactor: 'required' });
  const { page, wrong, close } = await visit(browser, strict);
  await logIn(page, strict, 'Administrator', strict.password);
  await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
  await setUp(page, 'second-factor-required');
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  await close();
  await strict.stop();
  expect(wrong).toEqual([]);
});
