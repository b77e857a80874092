/** Policies that govern an API, from where they are written. */
import type { Asset, Spec } from '../../api/assets';
import type { PolicyType } from '../../api/policies';
import { objects } from './spec';

export type Governing =
  { from: 'api'; index: number; policy: Spec } | { from: 'global' | 'template'; name: string; policy: Spec };

/** Policies of the templates that an API names, in its order. */
export function templatesOf(names: string[], templates: Asset[]): Governing[] {
  return names.flatMap((name) =>
    objects(templates.find((template) => template.name === name)?.spec.policies).map((policy): Governing => ({
      from: 'template',
      name,
      policy,
    })),
  );
}

/** Those of one stage. What nobody knows is shown where most are, so that it can be mended. */
export function chainOf(all: Governing[], stage: string, types: PolicyType[]): Governing[] {
  return all.filter(({ policy }) => {
    const known = types.find(({ type }) => type === policy.type);
    return (known?.stage ?? 'request processing') === stage;
  });
}
