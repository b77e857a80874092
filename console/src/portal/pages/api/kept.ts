/** What somebody tries an API with, as long as the page lives: it is written down nowhere, and is nobody else's. */
export interface Kept {
  what: 'key' | 'token';
  user: string | undefined;
  api: string;
}

const all = new Map<string, string>();

function place({ what, user, api }: Kept): string {
  return JSON.stringify([what, user, api]);
}

export function kept(of: Kept): string {
  return all.get(place(of)) ?? '';
}

export function keep(of: Kept, value: string): string {
  all.set(place(of), value);
  return value;
}
