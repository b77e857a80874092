/**
 * Client libraries that others have written log users in at the authorization server, in a real browser, and do
 * everything else that it offers: openid-client and @badgateway/oauth2-client.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateCodeVerifier, OAuth2Client } from '@badgateway/oauth2-client';
import * as oidc from 'openid-client';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, picture, type Visit, visit } from './browser';
import { freePort, Gateway } from './gateway';
import { PASSWORD } from './shop';

const SECRET = randomBytes(32).toString('base64url');

let gateway: Gateway;
let browser: Browser;
let at: Visit;
let issuer: string;
/** Where the client waits for browsers that come back. */
let client: Server;
let callback: string;
let came: (url: URL) => void = () => undefined;

beforeAll(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  client = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><html lang="en"><title>Back</title><h1>You are back</h1></html>');
    if (request.url?.startsWith('/back')) came(new URL(request.url, callback));
  });
  await new Promise<void>((listening) => client.listen(0, '127.0.0.1', listening));
  callback = `http://127.0.0.1:${(client.address() as AddressInfo).port}/back`;
  [gateway, browser] = await Promise.all([
    Gateway.start(
      `  authorizationServer: { issuer: ${issuer}, address: "127.0.0.1:${port}", signingAlgorithm: ES256 }`,
      {},
      { GATEWRIGHT_LOG: 'trace' },
    ),
    launch(),
  ]);
  await gateway.ask('POST', '/users', { name: 'ann', firstName: 'Ann' });
  await gateway.ask('PUT', '/users/ann/password', { password: PASSWORD });
  const people = ['authorizationCode', 'refreshToken', 'deviceCode'];
  const scopes = ['openid', 'profile', 'email', 'orders.read'];
  const secrets = [{ hash: `sha256:${createHash('sha256').update(SECRET).digest('hex')}` }];
  await gateway.ask('POST', '/applications', {
    name: 'Web shop',
    oauthClients: [
      { id: 'shop', secrets, scopes, grantTypes: [...people, 'clientCredentials'], redirectUris: [callback] },
      { id: 'app', authentication: 'none', scopes, grantTypes: people, redirectUris: [callback] },
    ],
  });
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
  client.close();
});

beforeEach(async () => {
  at = await visit(browser, gateway, 'en-GB', [issuer, new URL(callback).origin]);
});

afterEach(async () => {
  await at.close();
  expect(at.wrong).toEqual([]);
});

async function logIn(page: Page): Promise<void> {
  await page.getByLabel('User', { exact: true }).fill('ann');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Opens an address of the server, does what a user does there, and waits until the browser is back at the client. */
async function back(page: Page, url: string, does: () => Promise<void>): Promise<URL> {
  const arrived = new Promise<URL>((resolve) => (came = resolve));
  await page.goto(url);
  await does();
  return arrived;
}

function known(id: string): Promise<oidc.Configuration> {
  const secret = id === 'app' ? oidc.None() : oidc.ClientSecretBasic(SECRET);
  return oidc.discovery(new URL(issuer), id, undefined, secret, { execute: [oidc.allowInsecureRequests] });
}

test('a user logs in, allows it, and the client knows who it is until it gives the tokens back', async () => {
  const { page } = at;
  const config = await known('shop');
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile orders.read',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const returned = await back(page, url.href, async () => {
    await accessible(page, 'log in');
    await picture(page, 'oauth-login');
    await page.getByLabel('User', { exact: true }).fill('ann');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').waitFor();
    await accessible(page, 'log in once more');
    await logIn(page);
    await page.getByText('Web shop').waitFor();
    await accessible(page, 'allow');
    await picture(page, 'oauth-consent');
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.getByRole('heading', { name: 'You are back' }).waitFor();
  });
  const tokens = await oidc.authorizationCodeGrant(config, returned, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const subject = tokens.claims()?.sub ?? '';
  expect(tokens.claims()?.preferred_username).toBe('ann');
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, subject);
  expect(userinfo.preferred_username).toBe('ann');
  const later = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '');
  expect((await oidc.tokenIntrospection(config, later.access_token)).active).toBe(true);
  await oidc.tokenRevocation(config, later.access_token);
  expect((await oidc.tokenIntrospection(config, later.access_token)).active).toBe(false);
  // Whoever shows the old refresh token has stolen it.
  await expect(oidc.refreshTokenGrant(config, tokens.refresh_token ?? '')).rejects.toThrow();
  const own = await oidc.clientCredentialsGrant(config, { scope: 'orders.read' });
  expect(own.scope).toBe('orders.read');
  // Whatever is logged, nobody gets in with it.
  const secrets = [PASSWORD, PASSWORD.replaceAll(' ', '+'), SECRET, verifier, nonce];
  const given = [tokens.access_token, tokens.refresh_token, tokens.id_token, own.access_token];
  const code = returned.searchParams.get('code');
  expect(gateway.log).toContain('a refresh token was shown again');
  for (const secret of [...secrets, ...given, code]) expect(gateway.log).not.toContain(secret);
});

test('a public client pushes its request and binds its tokens to a key', async () => {
  const { page } = at;
  const config = await known('app');
  const verifier = oidc.randomPKCECodeVerifier();
  const key = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
  const url = await oidc.buildAuthorizationUrlWithPAR(
    config,
    {
      redirect_uri: callback,
      scope: 'openid',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    },
    { DPoP: key },
  );
  expect(url.searchParams.get('request_uri')).not.toBeNull();
  const returned = await back(page, url.href, async () => {
    await logIn(page);
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
  });
  const tokens = await oidc.authorizationCodeGrant(
    config,
    returned,
    { pkceCodeVerifier: verifier, idTokenExpected: true },
    undefined,
    { DPoP: key },
  );
  expect(tokens.token_type).toBe('dpop');
  const subject = tokens.claims()?.sub ?? '';
  const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, subject, { DPoP: key });
  expect(userinfo.sub).toBe(subject);
});

test('a device shows a code, which a user types on the page', async () => {
  const { page } = at;
  const config = await known('app');
  const device = await oidc.initiateDeviceAuthorization(config, { scope: 'openid profile' });
  await page.goto(device.verification_uri);
  await logIn(page);
  await page.getByLabel('Code that the device shows').waitFor();
  await accessible(page, 'device');
  await page.getByLabel('Code that the device shows').fill(device.user_code.toLowerCase());
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('Web shop').waitFor();
  await accessible(page, 'allow a device');
  await picture(page, 'oauth-device');
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.getByRole('heading', { name: 'The device is connected' }).waitFor();
  const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 });
  expect(tokens.claims()?.preferred_username).toBe('ann');
});

test('another library gets tokens in the same ways', async () => {
  const { page } = at;
  const discoveryEndpoint = '/.well-known/oauth-authorization-server';
  const app = new OAuth2Client({ server: issuer, clientId: 'app', discoveryEndpoint });
  const codeVerifier = await generateCodeVerifier();
  const url = await app.authorizationCode.getAuthorizeUri({
    redirectUri: callback,
    state: 'x',
    codeVerifier,
    scope: ['orders.read'],
  });
  const returned = await back(page, url, async () => {
    await logIn(page);
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
  });
  const token = await app.authorizationCode.getTokenFromCodeRedirect(returned.href, {
    redirectUri: callback,
    state: 'x',
    codeVerifier,
  });
  expect((await app.refreshToken(token)).accessToken).not.toBe(token.accessToken);
  const shop = new OAuth2Client({
    server: issuer,
    clientId: 'shop',
    clientSecret: SECRET,
    discoveryEndpoint,
  });
  const own = await shop.clientCredentials({ scope: ['orders.read'] });
  expect((await shop.introspect(own)).active).toBe(true);
  await shop.revoke(own);
  expect((await shop.introspect(own)).active).toBe(false);
});

test('a user finds in the portal what was allowed, and takes it back', async () => {
  const { page } = at;
  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByLabel('User', { exact: true }).fill('ann');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
  await page.goto(`${gateway.admin}/portal/account`);
  const rows = page.getByRole('listitem').filter({ hasText: 'Web shop' });
  await rows.first().waitFor();
  expect(await rows.count()).toBe(2);
  await accessible(page, 'account');
  await picture(page, 'portal-account');
  for (const left of [1, 0]) {
    await rows.first().getByRole('button', { name: 'Take back what Web shop may do' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take back' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(() => rows.count()).toBe(left);
  }
  await page.getByText('When you let a program act for you').waitFor();
});

test('whoever says no, or comes with an address that is not known, goes no further', async () => {
  const { page } = at;
  const config = await known('shop');
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'email',
    code_challenge: await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  });
  const returned = await back(page, url.href, async () => {
    await logIn(page);
    await page.getByRole('button', { name: 'Do not allow' }).click();
  });
  expect(returned.searchParams.get('error')).toBe('access_denied');
  url.searchParams.set('redirect_uri', 'https://evil.example/');
  await page.goto(url.href);
  await page.getByRole('heading', { name: 'This cannot go on' }).waitFor();
  await accessible(page, 'refused');
  await page.goto(`${issuer}/logout`);
  await accessible(page, 'log out');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
});
