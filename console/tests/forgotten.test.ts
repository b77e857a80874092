/** A forgotten password: a link by e-mail, in the console and in the portal. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessible, launch, logIn, picture, visit } from './browser';
import { Gateway } from './gateway';
import { MailServer } from './mail';

const FORGOTTEN = 'correct horse battery';
const ANOTHER = 'another horse, another battery';

let gateway: Gateway;
let mail: MailServer;
let browser: Browser;

beforeAll(async () => {
  mail = await MailServer.start();
  const settings = `  mail: {url: 'smtp://127.0.0.1:${mail.port}', from: gateway@example.com}`;
  const manager = { passwordReset: { publicUrl: 'https://gateway.example' } };
  [gateway, browser] = await Promise.all([Gateway.start(settings, manager), launch()]);
  for (const [name, portalOnly] of [
    ['pat', false],
    ['kim', true],
  ] as const) {
    await gateway.ask('POST', '/users', { name, portalOnly, email: `${name}@example.com` });
    await gateway.ask('PUT', `/users/${name}/password`, { password: FORGOTTEN });
  }
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
  mail.stop();
});

/** The page and the token of the newest link. */
async function link(count: number): Promise<string> {
  await expect.poll(() => mail.mails.length, { timeout: 10_000 }).toBe(count);
  const found = /https:\/\/gateway\.example(\/\S+)/.exec(mail.mails.at(-1) ?? '');
  return found?.[1] ?? '';
}

test('who has forgotten the password sets another one by a link', async () => {
  const { page, wrong, close } = await visit(browser, gateway);
  await page.goto(`${gateway.admin}/console/`);
  await page.getByRole('button', { name: 'Forgot your password?' }).click();
  await page.getByLabel('User or e-mail address').fill('pat@example.com');
  await accessible(page, 'forgotten-ask');
  await picture(page, 'forgotten-ask');
  await page.getByRole('button', { name: 'Send a link' }).click();
  await page.getByText('a link is on its way there').waitFor();

  const place = await link(1);
  expect(place).toMatch(/^\/console\/#reset=[\w-]{32}$/);
  // The page is there already, and is not loaded again.
  await page.goto(`${gateway.admin}${place}`);
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  // The token is in no history: whoever wants to use the link later opens it again.
  expect(page.url()).not.toContain('reset');
  await page.reload();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await page.goto('about:blank');
  await page.goto(`${gateway.admin}${place}`);
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  await accessible(page, 'forgotten-new');
  await picture(page, 'forgotten-new');
  await page.getByLabel('New password', { exact: true }).fill(ANOTHER);
  await page.getByLabel('New password again').fill(`${ANOTHER}!`);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('The two passwords are different').waitFor();
  await page.getByLabel('New password again').fill(ANOTHER);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('Your password was changed. Log in with the new one.').waitFor();
  await page.getByRole('button', { name: 'Log in' }).click();
  await logIn(page, gateway, 'pat', ANOTHER);
  await page.getByRole('heading', { name: 'APIs' }).waitFor();

  await page.goto('about:blank');
  await page.goto(`${gateway.admin}${place}`);
  await page.getByLabel('New password', { exact: true }).fill(FORGOTTEN);
  await page.getByLabel('New password again').fill(FORGOTTEN);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('The link is not good any more').waitFor();
  await page.getByRole('button', { name: 'Keep the old password' }).click();
  await page.getByRole('heading', { name: 'APIs' }).waitFor();
  expect(wrong).toEqual([]);
  await close();
});

test('a consumer is led back to the portal', async () => {
  const before = mail.mails.length;
  const { page, close } = await visit(browser, gateway);
  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByRole('button', { name: 'Forgot your password?' }).click();
  await page.getByLabel('User or e-mail address').fill('kim');
  await page.getByRole('button', { name: 'Send a link' }).click();
  const place = await link(before + 1);
  expect(place).toMatch(/^\/portal\/#reset=/);
  await page.goto('about:blank');
  await page.goto(`${gateway.admin}${place}`);
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  await accessible(page, 'forgotten-portal');
  await picture(page, 'forgotten-portal');
  await page.getByLabel('New password', { exact: true }).fill(ANOTHER);
  await page.getByLabel('New password again').fill(ANOTHER);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('Your password was changed. Log in with the new one.').waitFor();
  await close();
});
