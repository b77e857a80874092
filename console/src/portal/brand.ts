/** Colours of a portal from the one that its owners choose, readable in light and dark (WCAG 2.2 AA). */
import type { MantineColorsTuple } from '@mantine/core';

type Rgb = [number, number, number];

const LIGHT: Rgb = [255, 255, 255];
const DARK: Rgb = [24, 27, 33];

export function isColor(text: string | undefined): text is string {
  return text !== undefined && /^#[0-9a-f]{6}$/i.test(text);
}

function read(color: string): Rgb {
  const part = (at: number) => Number.parseInt(color.slice(at, at + 2), 16);
  return [part(1), part(3), part(5)];
}

function write(rgb: Rgb): string {
  return `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}

function mixed(from: Rgb, to: Rgb, share: number): Rgb {
  return [0, 1, 2].map((at) => (from[at] ?? 0) * (1 - share) + (to[at] ?? 0) * share) as Rgb;
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(read(a)), luminance(read(b))].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const WANTED = 4.6;

/** The colour, made darker or lighter until text of it can be read on the ground. */
function readable(color: Rgb, ground: Rgb, towards: Rgb): Rgb {
  for (let share = 0; share < 1; share += 0.04) {
    const tried = mixed(color, towards, share);
    if (contrast(write(tried), write(ground)) >= WANTED) return tried;
  }
  return towards;
}

/** Ten shades. The seventh (light) can be read on white, the fifth (dark) on the dark ground. */
export function shades(color: string): MantineColorsTuple {
  const base = read(color);
  const onLight = readable(base, mixed(LIGHT, base, 0.18), [0, 0, 0]);
  const onDark = readable(base, mixed(DARK, base, 0.22), LIGHT);
  const lighter = (share: number) => write(mixed(base, LIGHT, share));
  return [
    lighter(0.93),
    lighter(0.84),
    lighter(0.66),
    lighter(0.46),
    write(onDark),
    lighter(0.1),
    write(base),
    write(onLight),
    write(mixed(onLight, [0, 0, 0], 0.18)),
    write(mixed(onLight, [0, 0, 0], 0.36)),
  ];
}
