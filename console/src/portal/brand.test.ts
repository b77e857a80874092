import { expect, test } from 'vitest';
import { contrast, isColor, shades } from './brand';

test('whatever colour is chosen, buttons and links can be read', () => {
  for (const chosen of ['#000000', '#ffffff', '#ffeb3b', '#0b7a75', '#ff00ff', '#808080', '#e11d48']) {
    const made = shades(chosen);
    expect(contrast(made[7] ?? '', '#ffffff'), `${chosen} on white`).toBeGreaterThanOrEqual(4.5);
    expect(contrast(made[4] ?? '', '#181b21'), `${chosen} on dark`).toBeGreaterThanOrEqual(4.5);
    expect(
      made.every((color) => isColor(color)),
      chosen,
    ).toBe(true);
  }
});

test('colours are six digits and nothing else', () => {
  for (const no of [undefined, '', '#fff', 'red', '#12345g', 'url(x)', '#1234567'])
    expect(isColor(no)).toBe(false);
});
