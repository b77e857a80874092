import { execFileSync } from 'node:child_process';
import { transpileModule } from 'typescript';
import { expect, test } from 'vitest';
import { LANGUAGES, sampleIn } from './samples';

const HOSTILE = {
  method: 'POST',
  url: "http://127.0.0.1:1/pets?a=it's&b=$(exit 7)",
  headers: [
    ['x-key', 'YOUR_API_KEY'],
    ['Content-Type', 'application/json'],
  ] as [string, string][],
  body: '{"say": "it\'s \\"quoted\\" `here` $HOME ${x}\nand goes on"}',
};

test('every language says method, address, headers and body', () => {
  for (const language of LANGUAGES) {
    const text = sampleIn(language, HOSTILE);
    for (const part of ['POST', '127.0.0.1:1/pets', 'x-key', 'YOUR_API_KEY', 'and goes on']) {
      expect(text, language).toContain(part);
    }
  }
});

test('a shell takes the whole of the sample for words', () => {
  // `curl` is a function here that says what it was given.
  const script = `curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }\n${sampleIn('curl', HOSTILE)}`;
  const words = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
  expect(words).toEqual([
    '-X',
    'POST',
    HOSTILE.url,
    '-H',
    'x-key: YOUR_API_KEY',
    '-H',
    'Content-Type: application/json',
    '--data',
    HOSTILE.body,
  ]);
});

test('JavaScript sends what the sample says', async () => {
  const sent: unknown[] = [];
  const fetch = (...given: unknown[]) => {
    sent.push(...given);
    return Promise.resolve({ status: 200, text: () => Promise.resolve('') });
  };
  const { outputText } = transpileModule(sampleIn('JavaScript', HOSTILE), {
    compilerOptions: { target: 99, module: 99 },
  });
  const run = new Function('fetch', 'console', `return (async () => { ${outputText} })()`);
  await run(fetch, { log: () => {} });
  expect(sent).toEqual([
    HOSTILE.url,
    { method: 'POST', headers: Object.fromEntries(HOSTILE.headers), body: HOSTILE.body },
  ]);
});

test('without a body there is none', () => {
  for (const language of LANGUAGES) {
    const text = sampleIn(language, { method: 'GET', url: 'http://a/', headers: [], body: undefined });
    expect(text, language).not.toMatch(/--data|data=|body:|BodyPublishers.ofString|StringContent|NewReader/);
  }
});
