/**
 * Client libraries that others have written log users in at the authorization server, in a real browser, and do
 * everything else that it offers: openid-client and @badgateway/oauth2-client.
 */
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateCodeVerifier, OAuth2Client } from '@badgateway/oauth2-client';
import * as oidc from 'openid-client';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessible, launch, logIn as logInConsole, picture, type Visit, visit } from './browser';
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
      `  authorizationServer: { issuer: ${issuer}, address: "127.0.0.1:${port}", signingAlgorithm: ES256, ` +
        'grants: [authorizationCode, clientCredentials, refreshToken, deviceCode, tokenExchange, jwtBearer], ' +
        'registration: { open: true, scopes: [openid, profile, orders.read] } }',
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

test('an API that takes tokens is tried in the portal with one', async () => {
  const { page } = at;
  const boats = `
openapi: 3.1.0
info: { title: Boats, version: "1.0" }
security: [{ login: [orders.read] }]
paths:
  /boats:
    get: { operationId: listBoats, summary: All boats, responses: { "200": { description: The boats. } } }
components:
  securitySchemes:
    login: { type: oauth2, flows: { clientCredentials: { tokenUrl: "${issuer}/token", scopes: { orders.read: Read } } } }
`;
  const octets = { 'content-type': 'application/octet-stream' };
  await gateway.ask('POST', `/apis/import?upstream=${gateway.upstream}&basePath=/boats/v1`, boats, octets);
  const rules = [{ type: 'oauth2Token', servers: ['local'], scopes: ['orders.read'] }];
  await gateway.ask('POST', '/apply', { authorizationServers: [{ name: 'local', internal: true }] });
  await gateway.ask('PATCH', '/applications/Web%20shop', { apis: ['Boats'] });
  await gateway.ask('PATCH', '/apis/Boats:1.0', {
    policies: [{ type: 'identifyAndAuthorize', config: { rules } }],
    portal: { visibility: 'public' },
  });
  const { access_token: token } = await oidc.clientCredentialsGrant(await known('shop'), {
    scope: 'orders.read',
  });

  await page.goto(`${gateway.admin}/portal/login`);
  await page.getByLabel('User', { exact: true }).fill('ann');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: 'My applications' }).first().waitFor();
  await page.goto(`${gateway.admin}/portal/apis/Boats%3A1.0?tab=reference&at=listBoats`);
  const trial = page.getByRole('region', { name: 'Try it' });
  const how = await trial.getByRole('region', { name: /Get one in a terminal/ }).textContent();
  expect(how).toBe(
    `curl -u YOUR_CLIENT_ID -d grant_type=client_credentials -d 'scope=orders.read' '${issuer}/token'`,
  );
  await page.getByText('Authorization: Bearer YOUR_ACCESS_TOKEN').first().waitFor();
  const answer = trial.getByRole('status', { name: 'Answer' });
  await trial.getByRole('button', { name: 'Send request' }).click();
  await answer.getByText('401', { exact: true }).waitFor();
  await answer.getByText('Check the token').waitFor();
  await trial.getByLabel('Your access token').fill(token);
  await trial.getByRole('button', { name: 'Send request' }).click();
  await answer.getByText('"path": "/boats"').waitFor();
  await accessible(page, 'try with a token');
  await picture(page, 'portal-try-token');
  // It is on the page where it was typed, and nowhere that outlives the page.
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(
    stored + page.url() + (await page.context().cookies()).map(({ value }) => value).join(),
  ).not.toContain(token);
  await page.reload();
  expect(await trial.getByLabel('Your access token').inputValue()).toBe('');
});

test('whoever looks after security sees the tokens, and ends one or all of somebody', async () => {
  const { page } = at;
  const config = await known('shop');
  const first = await oidc.clientCredentialsGrant(config, { scope: 'orders.read' });
  const second = await oidc.clientCredentialsGrant(config, { scope: 'orders.read' });
  const counts = async (token: { access_token: string }) =>
    (await oidc.tokenIntrospection(config, token.access_token)).active;
  await logInConsole(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'OAuth tokens' }).click();
  const rows = page.getByRole('main').getByRole('listitem');
  await rows.first().getByText('shop', { exact: true }).waitFor();
  await accessible(page, 'OAuth tokens');
  await picture(page, 'oauth-tokens-list');
  await page.getByLabel('Client', { exact: true }).fill('nobody');
  await page.getByText('No token matches').waitFor();
  await page.getByLabel('Client', { exact: true }).fill('shop');
  await rows.first().waitFor();
  const before = await rows.count();
  // The newest comes first.
  await rows.first().getByRole('button', { name: 'Revoke this token of Web shop' }).click();
  await accessible(page, 'revoking');
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('1 token was revoked').waitFor();
  await expect.poll(() => rows.count()).toBe(before - 1);
  expect([await counts(first), await counts(second)]).toEqual([true, false]);
  await rows.first().getByRole('button', { name: 'More for this token of Web shop' }).click();
  await page.getByRole('menuitem', { name: 'Revoke all of application Web shop' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('No token matches').waitFor();
  expect(await counts(first)).toBe(false);
  await page.getByRole('switch', { name: 'Show those that ended, too' }).click();
  await rows.first().getByText('Revoked').waitFor();
  await page.waitForURL(/client=shop&ended=true/);
  await picture(page, 'oauth-tokens-ended');
  for (const secret of [first.access_token, second.access_token])
    expect(await page.content()).not.toContain(secret);
});

test('a partner registers a client with an initial access token that the console has made', async () => {
  const { page } = at;
  await logInConsole(page, gateway, 'Administrator', gateway.password);
  await page.getByRole('link', { name: 'OAuth tokens' }).click();
  await page.getByText('There is none.').waitFor();
  await page.getByRole('button', { name: 'New initial access token' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Partner Ltd');
  await accessible(page, 'a new initial access token');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Copy the token now: it is not shown again').waitFor();
  const token = (await page.getByRole('status').getByText(/^gwi_/).textContent()) ?? '';
  const list = page.getByRole('list', { name: 'Initial access tokens' });
  await list.getByText('0 of 1 clients registered').waitFor();
  await accessible(page, 'initial access tokens');
  await picture(page, 'initial-access-tokens');
  const register = () =>
    fetch(`${issuer}/register`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Partner', redirect_uris: [callback] }),
    });
  expect((await register()).status).toBe(201);
  // It is good for one client, and told to nobody again.
  expect((await register()).status).toBe(401);
  await page.reload();
  await list.getByText('1 of 1 clients registered').waitFor();
  await list.getByText('Over').waitFor();
  expect(await page.content()).not.toContain(token);
  await list.getByRole('button', { name: 'Take Partner Ltd away' }).click();
  await accessible(page, 'taking an initial access token away');
  await dialog.getByRole('button', { name: 'Take it away' }).click();
  await page.getByText('Partner Ltd was taken away').waitFor();
  await page.getByText('There is none.').waitFor();
});

test('a client that has registered itself logs a user in, who is told that nobody here knows it', async () => {
  const { page } = at;
  const config = await oidc.dynamicClientRegistration(
    new URL(issuer),
    { client_name: 'Partner shop', redirect_uris: [callback], scope: 'openid profile' },
    undefined,
    { execute: [oidc.allowInsecureRequests] },
  );
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const returned = await back(page, url.href, async () => {
    await logIn(page);
    await page.getByText('nobody here has checked who it is').waitFor();
    await accessible(page, 'allow a client that has registered itself');
    await picture(page, 'oauth-consent-registered');
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
  });
  const checks = { pkceCodeVerifier: verifier, idTokenExpected: true };
  const tokens = await oidc.authorizationCodeGrant(config, returned, checks);
  expect(tokens.claims()?.preferred_username).toBe('ann');
  const { client_secret, registration_access_token, registration_client_uri } = config.clientMetadata();
  const headers = { authorization: `Bearer ${registration_access_token}` };
  expect((await fetch(`${registration_client_uri}`, { method: 'DELETE', headers })).status).toBe(204);
  // Somebody here has asked for this one.
  const made = await gateway.ask('POST', '/oauthInitialTokens', { name: 'partners' });
  const { token } = (await made.json()) as { token: string };
  const metadata = { client_name: 'Partner shop', redirect_uris: [callback], scope: 'openid' };
  const partner = await oidc.dynamicClientRegistration(new URL(issuer), metadata, undefined, {
    execute: [oidc.allowInsecureRequests],
    initialAccessToken: token,
  });
  expect(partner.clientMetadata().scope).toBe('openid');
  const secrets = [client_secret, registration_access_token, token, partner.clientMetadata().client_secret];
  for (const secret of secrets) expect(gateway.log).not.toContain(secret);
});

test('a library brings what a server elsewhere has signed, and gets a token once', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await gateway.ask('POST', '/applications', {
    name: 'Pipeline',
    oauthClients: [
      { id: 'deploy', authentication: 'none', grantTypes: ['jwtBearer'], scopes: ['orders.read'] },
    ],
  });
  await gateway.ask('POST', '/authorizationServers', {
    name: 'pipeline',
    issuer: 'https://pipeline.example',
    jwks: { keys: [publicKey.export({ format: 'jwk' })] },
    assertions: { clients: ['deploy'], subjects: ['repo:acme/*'] },
  });
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'https://pipeline.example',
    sub: 'repo:acme/shop',
    aud: issuer,
    iat: now,
    exp: now + 60,
  };
  const said = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ ...claims, jti: randomUUID() })}`;
  const signature = sign('sha256', Buffer.from(said), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const assertion = `${said}.${signature.toString('base64url')}`;
  const config = await oidc.discovery(new URL(issuer), 'deploy', undefined, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  });
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const tokens = await oidc.genericGrantRequest(config, grant, { assertion, scope: 'orders.read' });
  expect([tokens.scope, tokens.refresh_token]).toEqual(['orders.read', undefined]);
  await expect(oidc.genericGrantRequest(config, grant, { assertion })).rejects.toThrow();
  expect(gateway.log).toContain('assertion_replayed');
  for (const secret of [assertion, tokens.access_token]) expect(gateway.log).not.toContain(secret);
});
