/** Where an API is called. */
import type { Status } from '../../api/gateway';
import { quoted } from '../../parts/shell';
import type { ApiSpec } from './spec';

/** The origin that clients call: the first listener, by the name that this page was reached by where it has none. */
export function gatewayOrigin(listeners: Status['listeners'], page: Location): string | undefined {
  const first = listeners.find((listener) => !listener.tls) ?? listeners[0];
  if (first === undefined) return undefined;
  const address = first.address.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, page.hostname);
  return `${first.tls ? 'https' : 'http'}://${address}`;
}

/** What else a call has. */
export interface Sent {
  headers: [string, string][];
  body: string;
  /** Header with a key, which a variable of the shell stands for. */
  keyHeader?: string | undefined;
}

export function curlLine(
  origin: string,
  spec: ApiSpec,
  method: string,
  path: string,
  { headers, body, keyHeader }: Sent = { headers: [], body: '' },
): string {
  const host = spec.hosts.find((name) => !name.startsWith('*'));
  const parts = ['curl -i'];
  if (method !== 'GET') parts.push(`-X ${method}`);
  if (host !== undefined) parts.push(`-H 'Host: ${host}'`);
  for (const [name, value] of headers) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (keyHeader !== undefined) parts.push(`-H "${keyHeader}: $API_KEY"`);
  if (body !== '') parts.push(`--data-binary ${quoted(body)}`);
  parts.push(quoted(`${origin}${spec.basePath}${path}`));
  return parts.join(' ');
}
