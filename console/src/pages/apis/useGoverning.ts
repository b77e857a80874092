import { useInfiniteQuery } from '@tanstack/react-query';
import { type Asset, listQuery } from '../../api/assets';
import { type Governing, partsOf, templatesOf } from './chain';
import { apiSpec } from './spec';

/** Every policy that is written for an API: global ones, those of its templates, its own, and those of its parts. */
export function useGoverning(api: Asset): Governing[] {
  const global = useInfiniteQuery(listQuery('policies', { q: '', sort: 'name' }));
  const templates = useInfiniteQuery(listQuery('policyTemplates', { q: '', sort: 'name' }));
  const spec = apiSpec(api);
  return [
    ...(global.data?.pages.flatMap((page) => page.items) ?? []).map((asset): Governing => ({
      from: 'global',
      name: asset.name,
      policy: asset.spec,
    })),
    ...templatesOf(spec.templates, templates.data?.pages.flatMap((page) => page.items) ?? []),
    ...partsOf(api.spec),
  ];
}
