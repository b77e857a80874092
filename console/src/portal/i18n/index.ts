/** Texts of the portal, in catalogues of its own; language, numbers and times are those of the console. */
import { useMemo } from 'react';
import { fill, type Locale, type Texts, useTexts } from '../../i18n';
import { de } from './de';
import { en, type PortalKey } from './en';

export type { PortalKey } from './en';

const CATALOGUES: Record<Locale, Record<PortalKey, string>> = { en, de };

type Params = Record<string, string | number>;
type CountKey = Extract<PortalKey, `${string}.other`> extends `${infer Key}.other` ? Key : never;

export interface PortalTexts extends Omit<Texts, 't' | 'count'> {
  p: (key: PortalKey, params?: Params) => string;
  many: (key: CountKey, count: number) => string;
  /** A day, for people. */
  day: (at: string | number) => string;
}

export function usePortalTexts(): PortalTexts {
  const texts = useTexts();
  return useMemo(() => {
    const catalogue = CATALOGUES[texts.locale];
    const plural = new Intl.PluralRules(texts.locale);
    const days = new Intl.DateTimeFormat(texts.locale, { dateStyle: 'medium' });
    const p = (key: PortalKey, params: Params = {}) => fill(catalogue[key], params);
    return {
      ...texts,
      p,
      many: (key, count) =>
        p(plural.select(count) === 'one' ? `${key}.one` : `${key}.other`, { count: texts.number(count) }),
      day: (at) => days.format(new Date(at)),
    };
  }, [texts]);
}
