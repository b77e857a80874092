/** Policies that govern an API, from where they are written. */
import type { Asset, Spec } from '../../api/assets';
import type { InertPolicy } from '../../api/gateway';
import type { PolicyType } from '../../api/policies';
import { withKey } from '../../forms/schema';
import { objects, text, texts } from './spec';

/** A part of an API that has policies of its own; `api` is the whole of it. */
export type Part =
  | { level: 'api' }
  | { level: 'resource'; path: string }
  | { level: 'operation'; method: string; path: string; name: string | undefined };

/** Where in the document a policy of the API is written. */
export interface Place {
  list: 'api' | 'resources' | 'scopes' | 'operationPolicies';
  /** Which of the list. */
  at: number;
  index: number;
}

export type Governing =
  | { from: 'own'; place: Place; of: string; policy: Spec }
  | { from: 'global' | 'template'; name: string; policy: Spec };

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

/** What a member of a list of parts is called. */
const NAMED_BY = { resources: 'path', scopes: 'name', operationPolicies: 'operation' } as const;

/** Policies that the document of an API has, with the part that they are for. */
export function partsOf(spec: Spec): Governing[] {
  const own = objects(spec.policies).map((policy, index): Governing => ({
    from: 'own',
    place: { list: 'api', at: 0, index },
    of: '',
    policy,
  }));
  const lists = Object.keys(NAMED_BY) as (keyof typeof NAMED_BY)[];
  const ofParts = lists.flatMap((list) =>
    objects(spec[list]).flatMap((part, at) =>
      objects(part.policies).map((policy, index): Governing => ({
        from: 'own',
        place: { list, at, index },
        of: text(part[NAMED_BY[list]]) ?? '',
        policy,
      })),
    ),
  );
  return [...own, ...ofParts];
}

/** Whether what is written for one part of an API is meant for another one, too. */
export function isFor(governing: Governing, part: Part, spec: Spec): boolean {
  if (governing.from !== 'own' || governing.place.list === 'api') return true;
  if (part.level === 'api') return false;
  const { place, of } = governing;
  if (place.list === 'resources') return of === part.path;
  const isMeant = (names: string[]) =>
    part.level === 'operation' && names.some((name) => name === part.name || name === keyOf(part));
  if (place.list === 'operationPolicies') return isMeant([of]);
  const scope = objects(spec.scopes)[place.at];
  return texts(scope?.resources).includes(part.path) || isMeant(texts(scope?.operations));
}

/** An operation, as a document calls one without a name. */
export function keyOf({ method, path }: { method: string; path: string }): string {
  return `${method} ${path}`;
}

/** Whether a policy can be changed where this part is shown: not where it is inherited. */
export function isOwn(governing: Governing, part: Part): boolean {
  if (governing.from !== 'own') return false;
  const lists = { api: 'api', resource: 'resources', operation: 'operationPolicies' } as const;
  return governing.place.list === lists[part.level];
}

/** The document with a policy added to a part of the API, put in the place of another one, or taken away; and its path. */
export function withPolicy(
  spec: Spec,
  part: Part,
  at: Place | null,
  policy: Spec | null,
): { spec: Spec; path: string } {
  if (part.level === 'api') {
    const before = objects(spec.policies);
    const policies = edited(before, at?.index ?? null, policy);
    const path = `policies[${at?.index ?? before.length}]`;
    return { spec: withKey(spec, 'policies', orNothing(policies)), path };
  }
  const list = part.level === 'resource' ? 'resources' : 'operationPolicies';
  const members = objects(spec[list]);
  const named = NAMED_BY[list];
  const isIt = (name: unknown) =>
    part.level === 'resource'
      ? name === part.path
      : name === keyOf(part) || (part.name !== undefined && name === part.name);
  const found = at?.at ?? members.findIndex((member) => isIt(member[named]));
  const fresh = part.level === 'resource' ? part.path : (part.name ?? keyOf(part));
  const member = members[found] ?? { [named]: fresh, policies: [] };
  const before = objects(member.policies);
  const policies = edited(before, at?.index ?? null, policy);
  const changed = policies.length === 0 ? [] : [{ ...member, policies }];
  const next =
    found < 0
      ? [...members, ...changed]
      : members.flatMap((one, index) => (index === found ? changed : [one]));
  const path = `${list}[${found < 0 ? members.length : found}].policies[${at?.index ?? before.length}]`;
  return { spec: withKey(spec, list, orNothing(next)), path };
}

function edited(policies: Spec[], index: number | null, policy: Spec | null): Spec[] {
  if (index === null) return policy === null ? policies : [...policies, policy];
  return policies.flatMap((before, at) => (at !== index ? [before] : policy === null ? [] : [policy]));
}

function orNothing(list: Spec[]): Spec[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Those of one stage. What nobody knows is shown where most are, so that it can be mended. */
export function chainOf(all: Governing[], stage: string, types: PolicyType[]): Governing[] {
  return all.filter(({ policy }) => {
    const known = types.find(({ type }) => type === policy.type);
    return (known?.stage ?? 'request processing') === stage;
  });
}

/** Why a policy has no effect, as the gateway explains it for an operation. */
export function whyInert(governing: Governing, inert: InertPolicy[]): string | undefined {
  const type = text(governing.policy.type) ?? '';
  const name = text(governing.policy.name) ?? (governing.from === 'global' ? governing.name : type);
  const level = levelOf(governing);
  const found = inert.find(
    (one) =>
      one.type === type &&
      (one.name === name || one.name === type) &&
      one.level === level &&
      (governing.from !== 'template' || one.template === undefined || one.template === governing.name),
  );
  return found?.why;
}

function levelOf(governing: Governing): string {
  if (governing.from !== 'own') return governing.from === 'global' ? 'global' : 'API';
  return { api: 'API', resources: 'resource', scopes: 'scope', operationPolicies: 'operation' }[
    governing.place.list
  ];
}
