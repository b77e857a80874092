// Fails when src/api/schema.d.ts is not what the OpenAPI document of the admin API says.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const home = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'gatewright-schema-'));
try {
  const fresh = join(folder, 'schema.d.ts');
  const document = join(home, '../docs/src/reference/admin-api.json');
  execFileSync(join(home, 'node_modules/.bin/openapi-typescript'), [document, '-o', fresh], {
    stdio: 'ignore',
  });
  if (readFileSync(fresh, 'utf8') !== readFileSync(join(home, 'src/api/schema.d.ts'), 'utf8')) {
    console.error('src/api/schema.d.ts is not current: run `npm run types` in console/');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
