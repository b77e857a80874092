/** Catalogues of a part of the console or the portal, which are loaded with that part. */
import { useMemo } from 'react';
import { fill, type Locale, type Texts, useTexts } from '.';

type Params = Record<string, string | number>;
type CountKey<Key extends string> =
  Extract<Key, `${string}.other`> extends `${infer Stem}.other` ? Stem : never;

export interface PartTexts<Key extends string> extends Omit<Texts, 't' | 'count'> {
  p: (key: Key, params?: Params) => string;
  /** `key.one` or `key.other`, with the number as `{count}`. */
  many: (key: CountKey<Key>, count: number) => string;
  /** A day, for people. */
  day: (at: string | number) => string;
}

/** The hook of a part, which gives its texts in the language of whoever looks. */
export function textsOf<Key extends string>(
  catalogues: Record<Locale, Record<Key, string>>,
): () => PartTexts<Key> {
  return function usePartTexts() {
    const texts = useTexts();
    return useMemo(() => {
      const catalogue = catalogues[texts.locale];
      const plural = new Intl.PluralRules(texts.locale);
      const days = new Intl.DateTimeFormat(texts.locale, { dateStyle: 'medium' });
      const p = (key: Key, params: Params = {}) => fill(catalogue[key], params);
      return {
        ...texts,
        p,
        many: (key, count) => {
          const form = plural.select(count) === 'one' ? 'one' : 'other';
          return p(`${key}.${form}` as Key, { count: texts.number(count) });
        },
        day: (at) => days.format(new Date(at)),
      };
    }, [texts]);
  };
}
