/** An identity provider elsewhere: the certified one of the registry, with a login page of two lines. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Oidc, { type Configuration } from 'oidc-provider';

/** The audience of tokens for APIs. */
export const AUDIENCE = 'https://api.example';
export const CLIENT_SECRET = 'a-secret-that-the-provider-and-its-client-know';

/** Users of the provider by their names, with the groups that they are in. */
const PEOPLE: Record<string, string[]> = { olga: ['operators'], nina: ['guests'] };

export class Provider {
  readonly issuer: string;
  readonly #server: Server;

  private constructor(issuer: string, server: Server) {
    this.issuer = issuer;
    this.#server = server;
  }

  static async start(redirectUri: string): Promise<Provider> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const oidc = new Oidc(issuer, configuration(redirectUri));
    const everything = oidc.callback();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (!request.url?.startsWith('/interaction/')) {
        void everything(request, response);
        return;
      }
      interact(oidc, request, response).catch((error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    });
    return new Provider(issuer, server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** A token for APIs, which the client gets for itself. */
  async token(): Promise<string> {
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`gatewright:${CLIENT_SECRET}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: AUDIENCE,
        scope: 'orders.read',
      }),
    });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
    return answer.access_token;
  }
}

function configuration(redirectUri: string): Configuration {
  return {
    clients: [
      {
        client_id: 'gatewright',
        client_secret: CLIENT_SECRET,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'client_credentials'],
      },
    ],
    claims: { openid: ['sub'], profile: ['groups'] },
    conformIdTokenClaims: false,
    ttl: {
      Interaction: 600,
      Session: 600,
      Grant: 600,
      AccessToken: 600,
      IdToken: 600,
      ClientCredentials: 600,
    },
    cookies: { keys: ['only for this test'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: PEOPLE[id] ?? [] }) }),
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'orders.read',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}

/** Asks who somebody is, and nothing else. */
async function interact(oidc: Oidc, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await oidc.interactionDetails(request, response);
  if (prompt.name === 'consent') {
    const grant = new oidc.Grant({ accountId: session?.accountId, clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    const consent = { grantId: await grant.save() };
    await oidc.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html');
    response.end(
      '<!doctype html><html lang="en"><title>Provider</title><form method="post">' +
        '<label>Name at the provider <input name="user"></label><button>Go on</button></form></html>',
    );
    return;
  }
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const accountId = new URLSearchParams(body).get('user') ?? '';
  await oidc.interactionFinished(request, response, { login: { accountId } });
}
