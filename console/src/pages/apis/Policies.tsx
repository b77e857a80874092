/** What governs an API or a part of it, stage by stage, in the order in which a request meets it. */
import { Box, Button, Group, Select, Stack, Text, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Asset, Spec } from '../../api/assets';
import { dryRun, type InertPolicy } from '../../api/gateway';
import { policyTypesQuery, STAGES } from '../../api/policies';
import { useTexts } from '../../i18n';
import { useMayChange } from '../../parts/kinds';
import { useMaySeeRequests } from '../requests/rights';
import {
  chainOf,
  type Governing,
  isFor,
  isOwn,
  keyOf,
  type Part,
  type Place,
  whyInert,
  withPolicy,
} from './chain';
import { addressOf, exampleOf } from './example';
import type { Operation } from './operations';
import classes from './Policies.module.css';
import { PolicyCard } from './PolicyCard';
import { PolicyEditor } from './PolicyEditor';
import { apiSpec, text } from './spec';
import { useGoverning } from './useGoverning';
import { useOperations } from './useOperations';

interface Props {
  api: Asset;
  /** The document as it is to be; it is looked at before it is saved. */
  onChange: (spec: Spec) => void;
}

export function Policies({ api, onChange }: Props) {
  const { t } = useTexts();
  const may = useMayChange('apis');
  const { data: types = [] } = useQuery(policyTypesQuery);
  const { operations } = useOperations(api);
  const [chosen, setChosen] = useState('api');
  const part = partOf(chosen, operations);
  const written = useGoverning(api);
  const all = written.filter((governing) => isFor(governing, part, api.spec));
  const inert = useInert(api, part, operations, written);
  const [editing, setEditing] = useState<{
    place: Place | null;
    policy: Spec | undefined;
    stage: string;
  } | null>(null);
  const remove = (place: Place) => onChange(withPolicy(api.spec, part, place, null).spec);
  const named = nameOf(part, t('policies.wholeApi'));
  return (
    <>
      <Group mb="md" gap="md" align="flex-end">
        <Select
          label={t('policies.of')}
          data={choices(operations, written, api.spec, t)}
          value={chosen}
          onChange={(value: string | null) => setChosen(value ?? 'api')}
          allowDeselect={false}
          searchable
          w={380}
        />
        <Text c="dimmed" size="sm" flex="1 1 320px">
          {t(part.level === 'api' ? 'policies.about' : 'policies.aboutPart')}
        </Text>
      </Group>
      <ol className={classes.chain} aria-label={named}>
        {STAGES.map((stage) => {
          const here = chainOf(all, stage, types);
          const offered = types.some((type) => type.stage === stage);
          return (
            <li key={stage} className={classes.stage} data-empty={here.length === 0 || undefined}>
              <Group justify="space-between" mb={here.length > 0 ? 'sm' : 0}>
                <Title order={2} className={classes.name ?? ''}>
                  {t(`stage.${stage}`)}
                </Title>
                {may && offered && (
                  <Button
                    size="compact-sm"
                    variant="subtle"
                    leftSection={<IconPlus size={14} />}
                    onClick={() => setEditing({ place: null, policy: undefined, stage })}
                    aria-label={t('policies.addTo', { stage: t(`stage.${stage}`) })}
                  >
                    {t('policies.add')}
                  </Button>
                )}
              </Group>
              <Stack gap="xs">
                {here.map((governing) => {
                  const own = governing.from === 'own' && isOwn(governing, part) ? governing : undefined;
                  const type = types.find((known) => known.type === governing.policy.type);
                  return (
                    <PolicyCard
                      key={idOf(governing)}
                      governing={governing}
                      inherited={own === undefined}
                      why={whyInert(governing, inert)}
                      description={text(type?.schema.description)}
                      onOpen={
                        governing.from === 'own' && own === undefined
                          ? () => setChosen(choiceOf(governing, operations))
                          : undefined
                      }
                      onEdit={
                        may && own !== undefined
                          ? () => setEditing({ place: own.place, policy: own.policy, stage })
                          : undefined
                      }
                      onRemove={may && own !== undefined ? () => remove(own.place) : undefined}
                    />
                  );
                })}
              </Stack>
            </li>
          );
        })}
      </ol>
      {editing !== null && (
        <PolicyEditor
          api={api}
          policy={editing.policy}
          stage={editing.stage}
          where={named}
          written={(policy) => withPolicy(api.spec, part, editing.place, policy)}
          onClose={() => setEditing(null)}
          onDone={(spec) => {
            setEditing(null);
            onChange(spec);
          }}
        />
      )}
      <Box h={8} />
    </>
  );
}

function idOf(governing: Governing): string {
  if (governing.from !== 'own') return `${governing.from} ${governing.name} ${String(governing.policy.type)}`;
  const { list, at, index } = governing.place;
  return `${list} ${at} ${index}`;
}

function nameOf(part: Part, whole: string): string {
  if (part.level === 'api') return whole;
  return part.level === 'resource' ? part.path : keyOf(part);
}

/** Choices are texts: `api`, a path, or a method and a path. */
function partOf(chosen: string, operations: Operation[]): Part {
  if (chosen === 'api') return { level: 'api' };
  if (chosen.startsWith('/')) return { level: 'resource', path: chosen };
  const operation = operations.find((one) => keyOf(one) === chosen);
  const [method = '*', path = '/'] = chosen.split(' ');
  return { level: 'operation', method, path, name: operation?.name };
}

/** Where a policy that is inherited can be changed. */
function choiceOf(governing: Governing & { from: 'own' }, operations: Operation[]): string {
  const { place, of } = governing;
  if (place.list === 'resources') return of;
  const operation = operations.find((one) => one.name === of || keyOf(one) === of);
  return place.list === 'operationPolicies' && operation !== undefined ? keyOf(operation) : 'api';
}

type Translate = ReturnType<typeof useTexts>['t'];

function choices(operations: Operation[], written: Governing[], spec: Spec, t: Translate) {
  const counted = (part: Part, label: string) => {
    const count = written.filter(
      (governing) => isOwn(governing, part) && isFor(governing, part, spec),
    ).length;
    return count === 0 ? label : `${label} (${count})`;
  };
  const paths = [...new Set(operations.map(({ path }) => path))];
  const keys = new Map(operations.map((operation) => [keyOf(operation), operation]));
  const whole = { value: 'api', label: counted({ level: 'api' }, t('policies.wholeApi')) };
  const groups = [
    {
      group: t('policies.resources'),
      items: paths.map((path) => ({ value: path, label: counted({ level: 'resource', path }, path) })),
    },
    {
      group: t('tab.operations'),
      items: [...keys].map(([key, { method, path, name }]) => ({
        value: key,
        label: counted({ level: 'operation', method, path, name }, key),
      })),
    },
  ];
  return [whole, ...groups.filter(({ items }) => items.length > 0)];
}

/**
 * Policies without effect here, as the gateway explains a request to this part. Of an API as a whole, a request that no
 * other part has policies for tells.
 */
function useInert(api: Asset, part: Part, operations: Operation[], written: Governing[]): InertPolicy[] {
  const spec = apiSpec(api);
  const maySee = useMaySeeRequests();
  const target = useMemo(() => {
    if (part.level === 'operation') return part;
    const here = operations.filter(({ path }) => part.level === 'api' || path === part.path);
    const plain = (operation: Operation) =>
      written.every((governing) => {
        const lists = part.level === 'api' ? ['api'] : ['api', 'resources'];
        const isBelow = governing.from === 'own' && !lists.includes(governing.place.list);
        return !isBelow || !isFor(governing, { level: 'operation', ...operation }, api.spec);
      });
    const isAlone = (operation: Operation) =>
      part.level !== 'api' ||
      !written.some(
        (one) => one.from === 'own' && one.place.list === 'resources' && one.of === operation.path,
      );
    return here.find((operation) => plain(operation) && isAlone(operation));
  }, [part, operations, written, api.spec]);
  const explained = useQuery({
    queryKey: ['gateway', 'inert', api.id, api.revision, target?.method, target?.path],
    queryFn: () => {
      const method = target === undefined || target.method === '*' ? 'GET' : target.method;
      const path = target?.path ?? '/';
      const host = spec.hosts.find((name) => !name.startsWith('*'));
      return dryRun({
        method,
        url: spec.basePath + addressOf(path, exampleOf('', method, path).parameters),
        headers: host === undefined ? [] : [['host', host]],
      });
    },
    enabled: maySee && !spec.inactive && (target !== undefined || operations.length === 0),
    retry: false,
  });
  return explained.data?.inert ?? [];
}
