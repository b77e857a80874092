/** An identity provider with SAML 2.0: a login page of two lines, and responses that `xml-crypto` signs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { SignedXml } from 'xml-crypto';

const SAML = 'urn:oasis:names:tc:SAML:2.0';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';

/** Users of the provider by their names, with the group that they are in. */
const PEOPLE: Record<string, string> = { olga: 'operators', nina: 'guests' };

export class SamlProvider {
  /** For browsers: another site than that of the gateway, whose cookies are not sent along with its forms. */
  readonly url: string;
  /** For the gateway. */
  readonly metadataUrl: string;
  /** Responses that were sent, in base64. */
  readonly sent: string[] = [];
  readonly #server: Server;
  readonly #key: string;
  readonly #certificate: string;

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://localhost:${port}`;
    this.metadataUrl = `http://127.0.0.1:${port}/metadata`;
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-saml-'));
    const files = ['-keyout', 'key.pem', '-out', 'certificate.pem'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=saml', ...files],
      {
        cwd: folder,
        stdio: 'ignore',
      },
    );
    this.#key = readFileSync(join(folder, 'key.pem'), 'utf8');
    this.#certificate = readFileSync(join(folder, 'certificate.pem'), 'utf8');
    rmSync(folder, { recursive: true });
  }

  static async start(): Promise<SamlProvider> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const provider = new SamlProvider(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      provider.#answer(request, response).catch((error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    });
    return provider;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname === '/metadata') {
      response.setHeader('content-type', 'application/samlmetadata+xml');
      response.end(this.#metadata());
      return;
    }
    response.setHeader('content-type', 'text/html');
    if (request.method !== 'POST') {
      response.end(page('<label>Name at the provider <input name="user"></label><button>Go on</button>'));
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const user = new URLSearchParams(body).get('user') ?? '';
    const asked = inflateRawSync(Buffer.from(url.searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
    const text = Buffer.from(this.#response(asked, user)).toString('base64');
    this.sent.push(text);
    // As providers do it: a form that sends itself.
    const field = (name: string, value: string) => `<input type="hidden" name="${name}" value="${value}">`;
    const state = url.searchParams.get('RelayState') ?? '';
    response.end(
      page(
        `${field('SAMLResponse', text)}${field('RelayState', state)}</form><script>document.forms[0].submit()</script>`,
        said(asked, 'AssertionConsumerServiceURL'),
      ),
    );
  }

  #metadata(): string {
    const certificate = this.#certificate.replace(/-----.*-----/g, '').trim();
    return (
      `<EntityDescriptor xmlns="${SAML}:metadata" entityID="${this.url}/metadata">` +
      `<IDPSSODescriptor protocolSupportEnumeration="${SAML}:protocol"><KeyDescriptor use="signing">` +
      '<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>' +
      `${certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
      `<SingleSignOnService Binding="${SAML}:bindings:HTTP-Redirect" Location="${this.url}/sso"/>` +
      '</IDPSSODescriptor></EntityDescriptor>'
    );
  }

  /** The answer to a request, with a signed assertion. */
  #response(asked: string, user: string): string {
    const now = Date.now();
    const time = (seconds: number) => new Date(now + seconds * 1000).toISOString();
    const [id, acs] = [said(asked, 'ID'), said(asked, 'AssertionConsumerServiceURL')];
    const issuer = `<Issuer xmlns="${SAML}:assertion">${this.url}/metadata</Issuer>`;
    const assertion =
      `<Assertion xmlns="${SAML}:assertion" ID="_a${now}" Version="2.0" IssueInstant="${time(0)}">${issuer}` +
      `<Subject><NameID>${user}</NameID><SubjectConfirmation Method="${SAML}:cm:bearer">` +
      `<SubjectConfirmationData InResponseTo="${id}" Recipient="${acs}" NotOnOrAfter="${time(300)}"/>` +
      `</SubjectConfirmation></Subject><Conditions NotBefore="${time(-5)}" NotOnOrAfter="${time(300)}">` +
      `<AudienceRestriction><Audience>${/<saml:Issuer>(.*?)</.exec(asked)?.[1] ?? ''}</Audience>` +
      `</AudienceRestriction></Conditions><AuthnStatement AuthnInstant="${time(0)}"/>` +
      '<AttributeStatement><Attribute Name="groups">' +
      `<AttributeValue>${PEOPLE[user] ?? ''}</AttributeValue></Attribute></AttributeStatement></Assertion>`;
    const signature = new SignedXml({
      privateKey: this.#key,
      signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      canonicalizationAlgorithm: EXCLUSIVE,
    });
    signature.addReference({
      xpath: "/*[local-name(.)='Assertion']",
      digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
      transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', EXCLUSIVE],
    });
    const place = { reference: "/*/*[local-name(.)='Issuer']", action: 'after' as const };
    signature.computeSignature(assertion, { location: place });
    return (
      `<samlp:Response xmlns:samlp="${SAML}:protocol" ID="_r${now}" Version="2.0" IssueInstant="${time(0)}" ` +
      `Destination="${acs}" InResponseTo="${id}">${issuer}<samlp:Status><samlp:StatusCode ` +
      `Value="${SAML}:status:Success"/></samlp:Status>${signature.getSignedXml()}</samlp:Response>`
    );
  }
}

/** An attribute of a request. */
function said(xml: string, name: string): string {
  const found = new RegExp(` ${name}="([^"]*)"`).exec(xml)?.[1];
  if (found === undefined) throw new Error(`${name} is missing: ${xml}`);
  return found;
}

function page(fields: string, action?: string): string {
  const to = action === undefined ? '' : ` action="${action}"`;
  return `<!doctype html><html lang="en"><title>Provider</title><form method="post"${to}>${fields}</form></html>`;
}
