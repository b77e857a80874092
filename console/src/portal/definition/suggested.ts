/** What a call is filled in with before somebody changes it. */
import { type Filled, key } from './call';
import { bodyExample, parameterExample } from './example';
import type { Definition, Endpoint } from './read';

export function suggested({ document }: Definition, endpoint: Endpoint): Filled {
  const entries = endpoint.parameters.flatMap((parameter) => {
    const value = parameterExample(document, parameter);
    return value === undefined ? [] : [[key(parameter.in, parameter.name), value] as const];
  });
  const body = endpoint.body === undefined ? '' : bodyExample(document, endpoint.body);
  return { parameters: Object.fromEntries(entries), body };
}
