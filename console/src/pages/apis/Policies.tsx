/** What governs an API, stage by stage, in the order in which a request meets it. */
import { ActionIcon, Anchor, Badge, Box, Button, Group, Stack, Text, Title } from '@mantine/core';
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Asset, listQuery, type Spec } from '../../api/assets';
import { policyTypesQuery, STAGES } from '../../api/policies';
import { Words } from '../../forms/Description';
import { useTexts } from '../../i18n';
import { useMayChange } from '../../parts/kinds';
import { chainOf, type Governing, templatesOf } from './chain';
import classes from './Policies.module.css';
import { PolicyEditor } from './PolicyEditor';
import { apiSpec, text } from './spec';

interface Props {
  api: Asset;
  /** The document as it is to be; it is looked at before it is saved. */
  onChange: (spec: Spec) => void;
}

export function Policies({ api, onChange }: Props) {
  const { t } = useTexts();
  const may = useMayChange('apis');
  const spec = apiSpec(api);
  const { data: types = [] } = useQuery(policyTypesQuery);
  const global = useInfiniteQuery(listQuery('policies', { q: '', sort: 'name' }));
  const templates = useInfiniteQuery(listQuery('policyTemplates', { q: '', sort: 'name' }));
  const [editing, setEditing] = useState<{ index: number | null; stage: string } | null>(null);
  const all = [
    ...(global.data?.pages.flatMap((page) => page.items) ?? []).map((asset): Governing => ({
      from: 'global',
      name: asset.name,
      policy: asset.spec,
    })),
    ...templatesOf(spec.templates, templates.data?.pages.flatMap((page) => page.items) ?? []),
    ...spec.policies.map((policy, index): Governing => ({ from: 'api', index, policy })),
  ];
  const put = (policies: Spec[]) => {
    const { policies: _, ...rest } = api.spec;
    onChange(policies.length === 0 ? rest : { ...rest, policies });
  };
  const remove = (index: number) => put(spec.policies.filter((_, at) => at !== index));
  return (
    <>
      <Text c="dimmed" mb="md" maw={720}>
        {t('policies.about')}
      </Text>
      <ol className={classes.chain}>
        {STAGES.map((stage) => {
          const here = chainOf(all, stage, types);
          const offered = types.some((type) => type.stage === stage);
          return (
            <li key={stage} className={classes.stage}>
              <Group justify="space-between" mb={here.length > 0 ? 'sm' : 0}>
                <Title order={2} className={classes.name ?? ''}>
                  {t(`stage.${stage}`)}
                </Title>
                {may && offered && (
                  <Button
                    size="compact-sm"
                    variant="subtle"
                    leftSection={<IconPlus size={14} />}
                    onClick={() => setEditing({ index: null, stage })}
                    aria-label={t('policies.addTo', { stage: t(`stage.${stage}`) })}
                  >
                    {t('policies.add')}
                  </Button>
                )}
              </Group>
              <Stack gap="xs">
                {here.map((governing) => (
                  <PolicyCard
                    key={keyOf(governing)}
                    governing={governing}
                    description={text(
                      types.find(({ type }) => type === governing.policy.type)?.schema.description,
                    )}
                    onEdit={
                      may && governing.from === 'api'
                        ? () => setEditing({ index: governing.index, stage })
                        : undefined
                    }
                    onRemove={may && governing.from === 'api' ? () => remove(governing.index) : undefined}
                  />
                ))}
              </Stack>
            </li>
          );
        })}
      </ol>
      {editing !== null && (
        <PolicyEditor
          policy={editing.index === null ? undefined : spec.policies[editing.index]}
          stage={editing.stage}
          onClose={() => setEditing(null)}
          onDone={(policy) => {
            const { index } = editing;
            setEditing(null);
            put(
              index === null
                ? [...spec.policies, policy]
                : spec.policies.map((before, at) => (at === index ? policy : before)),
            );
          }}
        />
      )}
    </>
  );
}

function keyOf(governing: Governing): string {
  return governing.from === 'api'
    ? `api ${governing.index}`
    : `${governing.from} ${governing.name} ${String(governing.policy.type)}`;
}

interface CardProps {
  governing: Governing;
  description: string | undefined;
  onEdit: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

function PolicyCard({ governing, description, onEdit, onRemove }: CardProps) {
  const { t } = useTexts();
  const { policy } = governing;
  const type = text(policy.type) ?? '';
  const name = text(policy.name) ?? type;
  const first = description?.split('\n')[0];
  return (
    <Box className={classes.card ?? ''} data-disabled={policy.disabled === true || undefined}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Box miw={0}>
          <Group gap="xs">
            <Text fw={600}>{name}</Text>
            {name !== type && (
              <Text size="sm" c="dimmed">
                {type}
              </Text>
            )}
            <Origin governing={governing} />
            {policy.disabled === true && (
              <Badge color="gray" variant="outline" tt="none">
                {t('policies.disabled')}
              </Badge>
            )}
          </Group>
          {first !== undefined && (
            <Text size="sm" c="dimmed">
              <Words text={first} />
            </Text>
          )}
          {policy.appliesTo !== undefined && <Text size="sm">{t('policies.some')}</Text>}
        </Box>
        <Group gap={4} wrap="nowrap">
          {onEdit !== undefined && (
            <ActionIcon variant="subtle" onClick={onEdit} aria-label={t('policies.edit', { name })}>
              <IconPencil size={16} />
            </ActionIcon>
          )}
          {onRemove !== undefined && (
            <ActionIcon
              variant="subtle"
              color="red"
              onClick={onRemove}
              aria-label={t('policies.remove', { name })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          )}
        </Group>
      </Group>
    </Box>
  );
}

function Origin({ governing }: { governing: Governing }) {
  const { t } = useTexts();
  if (governing.from === 'api') return null;
  const list = governing.from === 'global' ? 'policies' : 'policyTemplates';
  return (
    <Badge color="gray" variant="light" tt="none">
      <Anchor
        inherit
        underline="hover"
        renderRoot={(props) => (
          <Link to="/assets/$list/of/$name" params={{ list, name: governing.name }} {...props} />
        )}
      >
        {t(governing.from === 'global' ? 'policies.global' : 'policies.template', { name: governing.name })}
      </Anchor>
    </Badge>
  );
}
