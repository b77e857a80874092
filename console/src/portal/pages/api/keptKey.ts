/** The key that somebody tries an API with, as long as the page lives: it is written down nowhere. */
const kept = new Map<string, string>();

export function keptKey(api: string): string {
  return kept.get(api) ?? '';
}

export function keepKey(api: string, key: string): string {
  kept.set(api, key);
  return key;
}
