/** What the filters of the page say, as the gateway is asked. */
import type { RequestFilter } from '../../api/gateway';

export interface Search {
  api?: string | undefined;
  application?: string | undefined;
  code?: string | undefined;
  method?: string | undefined;
  /** Minutes. */
  since?: string | undefined;
  q?: string | undefined;
}

export function filterOf({ since, q, ...rest }: Search, now: number): RequestFilter {
  const minutes = Number(since);
  const from = since === undefined || !(minutes > 0) ? {} : { from: String(now - minutes * 60_000) };
  return { ...rest, ...from, ...meant(q?.trim() ?? '') };
}

/** A text is what it looks like: a path, the id of a request, the address of a client, else the code of a reason. */
function meant(text: string): RequestFilter {
  if (text === '') return {};
  if (text.includes('/')) return { path: text };
  if (/^\d{1,3}(\.\d{1,3}){3}$|^[0-9a-f]*:[0-9a-f:.]+$/i.test(text)) return { client: text };
  if (/^[0-9a-f]{32}$/i.test(text)) return { id: text };
  return { reason: text };
}
