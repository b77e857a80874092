/** What a row of a list says about an asset, beside its name. */
import type { Asset, Spec } from '../../api/assets';
import { isObject, objects, text, texts } from '../apis/spec';

export interface Summary {
  text: string;
  tags: string[];
}

export function summaryOf(list: string, { spec }: Asset): Summary {
  const about = text(spec.description) ?? '';
  switch (list) {
    case 'upstreams':
      return {
        text: objects(spec.endpoints)
          .map(({ url }) => text(url))
          .filter(Boolean)
          .join(', '),
        tags: [],
      };
    case 'users':
      return { text: '', tags: texts(spec.groups) };
    case 'applications':
      return { text: about, tags: texts(spec.apis) };
    case 'policies':
      return { text: about, tags: [text(spec.type)].filter((type) => type !== undefined) };
    case 'policyTemplates':
      return {
        text: about,
        tags: objects(spec.policies)
          .map(({ type }) => text(type))
          .filter((type) => type !== undefined),
      };
    case 'plans':
      return {
        text: text(spec.displayName) ?? about,
        tags: [...limitsOf(spec), ...(spec.approval === true ? ['approval'] : [])],
      };
    case 'subscriptions':
      return {
        text: [text(spec.application), text(spec.api)].filter(Boolean).join(' → '),
        tags: [text(spec.plan), text(spec.state)].filter((tag) => tag !== undefined),
      };
    case 'apiDocuments':
      return { text: text(spec.title) ?? about, tags: [text(spec.api)].filter((api) => api !== undefined) };
    case 'aliases':
      return { text: text(spec.value) ?? about, tags: [] };
    case 'listeners':
      return { text: text(spec.address) ?? about, tags: [] };
    default:
      return { text: about, tags: [text(spec.type)].filter((type) => type !== undefined) };
  }
}

/** As in `10 / 1s` and `10000 / 1 month`. */
function limitsOf({ rate, quota }: Spec): string[] {
  const found: string[] = [];
  if (isObject(rate)) found.push(`${String(rate.requests)} / ${text(rate.window) ?? '1s'}`);
  if (isObject(quota)) {
    const units = typeof quota.units === 'number' ? quota.units : 1;
    found.push(`${String(quota.requests)} / ${units} ${text(quota.per) ?? ''}`);
  }
  return found;
}
