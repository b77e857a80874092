// Fails when the first page costs more than it may: everything that the console or the portal loads
// before anything is shown.
import { readFileSync, statSync } from 'node:fs';

const BUDGET = 350 * 1024;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));

let tooLarge = false;
for (const page of ['index.html', 'portal.html']) {
  const files = new Set([page]);
  const add = (key) => {
    const chunk = manifest[key];
    if (files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const style of chunk.css ?? []) files.add(style);
    for (const imported of chunk.imports ?? []) add(imported);
  };
  add(page);
  const sizes = [...files].map((file) => [file, statSync(new URL(`${file}.gz`, dist)).size]);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  for (const [file, size] of sizes) console.log(`${String(size).padStart(8)}  ${file}`);
  console.log(`${String(total).padStart(8)}  ${page} in all, of ${BUDGET}`);
  tooLarge ||= total > BUDGET;
}
if (tooLarge) {
  console.error(
    'a first page is too large: load what it does not need later (React.lazy, lazyRouteComponent)',
  );
  process.exit(1);
}
