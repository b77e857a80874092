/** All assets of a kind. */
import { Badge, Box, Button, Group, Text } from '@mantine/core';
import { IconPlus, IconStack2 } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { Asset, Sort } from '../../api/assets';
import { useTexts } from '../../i18n';
import { AssetList } from '../../parts/AssetList';
import rows from '../../parts/AssetList.module.css';
import { Empty } from '../../parts/Empty';
import { useKind, useKindTexts, useMayChange } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';
import { LockedAccounts } from './LockedAccounts';
import { SecondFactors } from './SecondFactors';
import { summaryOf } from './summary';

const route = getRouteApi('/assets/$list');

export function AssetsPage() {
  const { t } = useTexts();
  const { list } = route.useParams();
  const { q, sort } = route.useSearch();
  const navigate = route.useNavigate();
  const { one, many, about } = useKindTexts(list);
  const kind = useKind(list);
  const may = useMayChange(list);
  const create = may && (
    <Button
      renderRoot={(props) => <Link to="/assets/$list/new" params={{ list }} {...props} />}
      leftSection={<IconPlus size={18} />}
    >
      {t('assets.new', { kind: one })}
    </Button>
  );
  return (
    <>
      <PageHeader title={many} about={about}>
        {create}
      </PageHeader>
      {list === 'users' && may && (
        <>
          <LockedAccounts />
          <SecondFactors />
        </>
      )}
      {kind !== undefined && (
        <AssetList
          key={list}
          list={list}
          q={q ?? ''}
          sort={(sort ?? 'name') as Sort}
          onSearch={(change) => navigate({ search: (before) => ({ ...before, ...change }), replace: true })}
          selectable={may}
          row={(asset) => <AssetRow list={list} asset={asset} />}
          empty={
            <Empty icon={IconStack2} title={t('assets.empty', { kinds: many })} text={about}>
              {create}
            </Empty>
          }
        />
      )}
    </>
  );
}

function AssetRow({ list, asset }: { list: string; asset: Asset }) {
  const { ago } = useTexts();
  const { text, tags } = summaryOf(list, asset);
  return (
    <Link to="/assets/$list/of/$name" params={{ list, name: asset.name }} className={rows.link}>
      <Box miw={0}>
        <Text fw={600} truncate>
          {asset.name}
        </Text>
        {text !== '' && (
          <Text size="sm" c="dimmed" truncate>
            {text}
          </Text>
        )}
      </Box>
      <Group gap={6} className={rows.wide ?? ''}>
        {tags.map((tag) => (
          <Badge key={tag} variant="light" color="gray" tt="none">
            {tag}
          </Badge>
        ))}
      </Group>
      <Text size="sm" c="dimmed">
        {ago(asset.changedAt)}
      </Text>
    </Link>
  );
}
