import { expect, test } from 'vitest';
import { linkTo, pictureFrom, plain } from './allowed';

test('links lead to pages and addresses, and run nothing', () => {
  for (const good of ['https://example.com/', 'mailto:a@example.com', '#s-x', '/portal/pages/terms']) {
    expect(linkTo(good), good).toBe(good);
  }
  for (const bad of [
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//elsewhere.example/x',
    '/\\elsewhere.example',
    'relative.html',
  ]) {
    expect(linkTo(bad), bad).toBeUndefined();
  }
});

test('pictures are in the text or of this host', () => {
  expect(pictureFrom('data:image/png;base64,AAAA')).toBeDefined();
  expect(pictureFrom('/console/icon.svg')).toBeDefined();
  for (const bad of [
    'https://elsewhere.example/x.png',
    '//elsewhere.example/x.png',
    '/\\x',
    'data:text/html;base64,AA==',
  ]) {
    expect(pictureFrom(bad), bad).toBeUndefined();
  }
});

test('entities are the letters that they stand for, once', () => {
  expect(plain('a &lt; b &amp;amp; &quot;c&quot;')).toBe('a < b &amp; "c"');
});
