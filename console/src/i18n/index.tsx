/** Texts, numbers and times in the language of whoever looks. Every text of the console is in a catalogue. */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { de } from './de';
import { en, type TextKey } from './en';

export type { TextKey } from './en';

export const LOCALES = { en: 'English', de: 'Deutsch' } as const;
export type Locale = keyof typeof LOCALES;

const CATALOGUES: Record<Locale, Record<TextKey, string>> = { en, de };
const STORED = 'gatewright.locale';

type Params = Record<string, string | number>;

export interface Texts {
  locale: Locale;
  setLocale: (locale: Locale) => void;
  t: (key: TextKey, params?: Params) => string;
  /** `key.one` or `key.other`, with the number as `{count}`. */
  count: (key: CountKey, count: number) => string;
  number: (value: number) => string;
  /** A moment, for people. */
  time: (at: string | number) => string;
  /** How long ago. */
  ago: (at: string | number) => string;
}

type CountKey = Extract<TextKey, `${string}.other`> extends `${infer Key}.other` ? Key : never;

/** Replaces `{name}` by what it stands for. */
export function fill(text: string, params: Params): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

function known(text: string | null | undefined): Locale | undefined {
  return (Object.keys(LOCALES) as Locale[]).find(
    (locale) => text === locale || text?.startsWith(`${locale}-`),
  );
}

function preferred(): Locale {
  const chosen = known(localStorage.getItem(STORED));
  return (
    chosen ??
    navigator.languages.map((language) => known(language)).find((locale) => locale !== undefined) ??
    'en'
  );
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

function texts(locale: Locale, setLocale: (locale: Locale) => void): Texts {
  const catalogue = CATALOGUES[locale];
  const plural = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const times = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const t = (key: TextKey, params: Params = {}) => fill(catalogue[key], params);
  return {
    locale,
    setLocale,
    t,
    count: (key, count) =>
      t(plural.select(count) === 'one' ? `${key}.one` : `${key}.other`, { count: numbers.format(count) }),
    number: (value) => numbers.format(value),
    time: (at) => times.format(new Date(at)),
    ago: (at) => {
      const seconds = (new Date(at).getTime() - Date.now()) / 1000;
      const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? (['second', 1] as const);
      return relative.format(Math.round(seconds / size), unit);
    },
  };
}

const TextsContext = createContext<Texts | null>(null);

export function TextsProvider({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState<Locale>(preferred);
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
  const value = useMemo(
    () =>
      texts(locale, (chosen) => {
        localStorage.setItem(STORED, chosen);
        setLocale(chosen);
      }),
    [locale],
  );
  return <TextsContext value={value}>{children}</TextsContext>;
}

export function useTexts(): Texts {
  const texts = useContext(TextsContext);
  if (texts === null) throw new Error('a TextsProvider is around everything');
  return texts;
}
