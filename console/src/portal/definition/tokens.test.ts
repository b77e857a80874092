import { expect, test } from 'vitest';
import { readDefinition } from './read';
import { tokensOf } from './tokens';

function tokens(schemes: object, security: object, old = false) {
  const document = {
    paths: { '/a': { get: { responses: {}, ...security } } },
    security: [{ whole: [] }],
    ...(old
      ? { swagger: '2.0', securityDefinitions: schemes }
      : { components: { securitySchemes: schemes } }),
  };
  const definition = readDefinition(JSON.stringify(document));
  const endpoint = definition?.endpoints[0];
  if (definition === undefined || endpoint === undefined) throw new Error('it can be read');
  return tokensOf(definition, endpoint);
}

const oauth = (tokenUrl: string) => ({
  type: 'oauth2',
  flows: { clientCredentials: { tokenUrl, scopes: {} } },
});

test('an operation takes tokens as its security says, or that of the whole API', () => {
  const url = 'https://id.example.com/token';
  const security = { security: [{ key: [] }, { login: ['orders.read', 'orders.write'] }] };
  const schemes = { key: { type: 'apiKey', in: 'header', name: 'x' }, login: oauth(url) };
  expect(tokens(schemes, security)).toEqual({ url, scopes: ['orders.read', 'orders.write'] });
  expect(tokens({ whole: { type: 'http', scheme: 'Bearer' } }, {})).toEqual({ url: undefined, scopes: [] });
  expect(tokens({ whole: { type: 'openIdConnect' } }, {})).toEqual({ url: undefined, scopes: [] });
  const old = { whole: { type: 'oauth2', flow: 'application', tokenUrl: url } };
  expect(tokens(old, {}, true)).toEqual({ url, scopes: [] });
});

test('what takes no tokens says so, and odd definitions do no harm', () => {
  expect(tokens({ whole: { type: 'apiKey' } }, {})).toBeUndefined();
  expect(tokens({ whole: oauth('https://id.example.com') }, { security: [] })).toBeUndefined();
  expect(tokens({ whole: { type: 'http', scheme: 'basic' } }, {})).toBeUndefined();
  expect(tokens({}, { security: [{ constructor: [] }, null, 'login'] })).toBeUndefined();
  expect(tokens({ whole: oauth('javascript:alert(1)') }, {})?.url).toBeUndefined();
});
