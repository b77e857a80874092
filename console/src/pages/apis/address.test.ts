import { expect, test } from 'vitest';
import { curlLine, gatewayOrigin } from './address';
import { apiSpec } from './spec';

const page = { hostname: 'gateway.example' } as Location;
const asset = { kind: 'api', id: '1', name: 'Pets:1.0', revision: 1, createdAt: '', changedAt: '' };

test('a listener on all addresses is called by the name of the page', () => {
  expect(gatewayOrigin([{ name: 'a', address: '0.0.0.0:8080', tls: false }], page)).toBe(
    'http://gateway.example:8080',
  );
  expect(gatewayOrigin([{ name: 'a', address: '[::]:8443', tls: true }], page)).toBe(
    'https://gateway.example:8443',
  );
  expect(gatewayOrigin([], page)).toBeUndefined();
});

test('the line can be run as it is', () => {
  const spec = apiSpec({ ...asset, spec: { name: 'Pets', version: '1.0', hosts: ['pets.example'] } });
  expect(curlLine('http://g:8080', spec, 'POST', '/pets')).toBe(
    "curl -i -X POST -H 'Host: pets.example' 'http://g:8080/gateway/Pets/1.0/pets'",
  );
});

test('what is sent is quoted, a key is left to the shell', () => {
  const spec = apiSpec({ ...asset, spec: { name: 'Pets', version: '1.0' } });
  const headers: [string, string][] = [['Accept', "a'b"]];
  const line = curlLine('http://g', spec, 'PUT', '/pets', { headers, body: '{"a": 1}', keyHeader: 'x-key' });
  expect(line).toContain(String.raw`-H 'Accept: a'\''b'`);
  expect(line).toContain('-H "x-key: $API_KEY"');
  expect(line).toContain(`--data-binary '{"a": 1}'`);
});
