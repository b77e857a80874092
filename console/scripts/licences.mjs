// Fails for packages whose licence is not one of those that this project takes: permissive ones.
import { readFileSync } from 'node:fs';

const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
]);
// Data or tools that are used to build and test, and are in nothing that is shipped: file-level copyleft is no matter.
const ALLOWED_FOR_BUILDING = new Set(['MPL-2.0', 'CC-BY-4.0']);

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));

/** Whether an SPDX expression can be met. */
function allowed(expression, isTool) {
  const text = expression.replace(/[()]/g, ' ').trim();
  const one = (name) => ALLOWED.has(name) || (isTool && ALLOWED_FOR_BUILDING.has(name));
  return text.split(/\s+OR\s+/).some((choice) => choice.split(/\s+AND\s+/).every((name) => one(name.trim())));
}

const refused = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .filter(([, about]) => !allowed(about.license ?? 'none', about.dev === true))
  .map(([path, about]) => `${path}: ${about.license ?? 'no licence'}`);

if (refused.length > 0) {
  console.error(`packages that cannot be used:\n  ${refused.join('\n  ')}`);
  process.exit(1);
}
console.log(`${Object.keys(lock.packages).length - 1} packages, all with a licence that can be used`);
