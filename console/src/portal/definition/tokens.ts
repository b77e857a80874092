/** Whether an operation takes access tokens, and where its definition says that programs get them. */
import { isObject, text, texts } from '../../pages/apis/spec';
import { type Definition, type Endpoint, type Json, resolve } from './read';

export interface Tokens {
  /** Where a client gets a token for itself. */
  url: string | undefined;
  scopes: string[];
}

export function tokensOf({ document }: Definition, { security }: Endpoint): Tokens | undefined {
  const components = isObject(document.components) ? document.components : {};
  const schemes = isObject(components.securitySchemes)
    ? components.securitySchemes
    : document.securityDefinitions;
  if (!isObject(schemes)) return undefined;
  for (const alternative of security) {
    for (const [name, scopes] of Object.entries(alternative)) {
      const scheme = resolve(document, Object.hasOwn(schemes, name) ? schemes[name] : undefined);
      const isBearer = scheme.type === 'http' && text(scheme.scheme)?.toLowerCase() === 'bearer';
      if (isBearer || scheme.type === 'oauth2' || scheme.type === 'openIdConnect')
        return { url: urlOf(scheme), scopes: texts(scopes) };
    }
  }
  return undefined;
}

function urlOf(scheme: Json): string | undefined {
  const flows = isObject(scheme.flows) ? scheme.flows : {};
  const flow = isObject(flows.clientCredentials) ? flows.clientCredentials : {};
  // OpenAPI 2 has one flow for each scheme, and calls this one so.
  const found = text(flow.tokenUrl) ?? (scheme.flow === 'application' ? text(scheme.tokenUrl) : undefined);
  return found !== undefined && /^https?:\/\//.test(found) ? found : undefined;
}
