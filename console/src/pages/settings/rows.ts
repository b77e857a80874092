/** Every setting of a section: what it is now, what it would be if nobody said anything, and whether these differ. */
import { type Field, propertiesOf, shapeOf } from '../../forms/schema';
import { isObject } from '../apis/spec';

export interface SettingRow {
  /** Its key in the section, as in `retry.attempts`. */
  name: string;
  description: string | undefined;
  value: unknown;
  fallback: unknown;
  differs: boolean;
}

export function rowsOf(
  section: Field,
  value: unknown,
  fallback: unknown = undefined,
  under = '',
): SettingRow[] {
  return propertiesOf(section).flatMap((property) => {
    const name = `${under}${property.name}`;
    const now = isObject(value) ? value[property.name] : undefined;
    // What a group of settings is by itself says more than what each of its keys is where the group is written.
    const otherwise =
      isObject(fallback) && property.name in fallback ? fallback[property.name] : property.fallback;
    if (shapeOf(property) === 'object' && (isObject(now) || isObject(otherwise)))
      return rowsOf(property, now, otherwise, `${name}.`);
    const differs = canonical(now) !== canonical(otherwise);
    return [{ name, description: property.description, value: now, fallback: otherwise, differs }];
  });
}

/** Nothing, an empty list and an empty object are the same for a setting that has no other default. */
function canonical(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.length === 0 ? '' : `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => canonical(inner) !== '');
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.length === 0
    ? ''
    : `{${entries.map(([key, inner]) => `${key}:${canonical(inner)}`).join(',')}}`;
}

/** As one would write it; nothing where there is none. */
export function shown(value: unknown): string {
  if (canonical(value) === '') return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
