/** All APIs. */
import { Badge, Box, Button, Group, Pill, Text } from '@mantine/core';
import { IconApi, IconFileImport } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Asset, Sort } from '../../api/assets';
import { useTexts } from '../../i18n';
import { AssetList } from '../../parts/AssetList';
import rows from '../../parts/AssetList.module.css';
import { Empty } from '../../parts/Empty';
import { useKindTexts, useMayChange } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';
import { ApiPicture } from './ApiIcon';
import { ApiState } from './ApiState';
import { apiSpec } from './spec';

const route = getRouteApi('/apis');

export function ApisPage() {
  const { t } = useTexts();
  const { about } = useKindTexts('apis');
  const { q, tag, sort } = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMayChange('apis');
  const importButton = may && (
    <Button
      renderRoot={(props) => <Link to="/apis/import" {...props} />}
      leftSection={<IconFileImport size={18} />}
    >
      {t('import.open')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('nav.apis')} about={about}>
        {may && (
          <Button
            variant="default"
            renderRoot={(props) => <Link to="/assets/$list/new" params={{ list: 'apis' }} {...props} />}
          >
            {t('apis.blank')}
          </Button>
        )}
        {importButton}
      </PageHeader>
      <AssetList
        list="apis"
        q={q ?? ''}
        sort={(sort ?? 'name') as Sort}
        filter={tag === undefined ? undefined : `tags=${tag}`}
        onSearch={(change) => navigate({ search: (before) => ({ ...before, ...change }), replace: true })}
        selectable={may}
        row={(asset) => <ApiRow api={asset} />}
        tools={
          tag !== undefined && (
            <Pill
              withRemoveButton
              size="md"
              removeButtonProps={{ 'aria-label': t('apis.allTags') }}
              onRemove={() => navigate({ search: (before) => ({ ...before, tag: undefined }) })}
            >
              {tag}
            </Pill>
          )
        }
        empty={
          <Empty
            icon={IconApi}
            title={t('apis.empty.title')}
            text={t(may ? 'apis.empty.text' : 'apis.empty.readOnly')}
          >
            {importButton}
          </Empty>
        }
      />
    </>
  );
}

function ApiRow({ api }: { api: Asset }) {
  const { ago } = useTexts();
  const spec = apiSpec(api);
  return (
    <Link to="/apis/$name" params={{ name: api.name }} className={rows.link}>
      <Box miw={0}>
        <Group gap="xs" wrap="nowrap">
          <ApiPicture icon={api.spec.icon} size={22} />
          <Text fw={600} truncate>
            {spec.title}
          </Text>
          <Text size="sm" c="dimmed">
            {spec.version}
          </Text>
        </Group>
        <Text size="sm" c="dimmed" truncate className="gw-mono">
          {spec.basePath}
        </Text>
      </Box>
      <Group gap={6} className={rows.wide ?? ''}>
        {spec.tags.map((tag) => (
          <Badge key={tag} variant="light" color="gray" tt="none">
            {tag}
          </Badge>
        ))}
      </Group>
      <Group gap="md" wrap="nowrap" justify="flex-end">
        <Text size="sm" c="dimmed" visibleFrom="sm">
          {ago(api.changedAt)}
        </Text>
        <ApiState inactive={spec.inactive} />
      </Group>
    </Link>
  );
}
