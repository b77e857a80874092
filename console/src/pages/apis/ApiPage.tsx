/** One API: what it is, what it offers, what governs it, what it was. */
import { Badge, Button, Group, Skeleton, Tabs } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { type Asset, assetQuery, type Spec } from '../../api/assets';
import { AssetEditor } from '../../forms/AssetEditor';
import { type TextKey, useTexts } from '../../i18n';
import { DeleteAsset } from '../../parts/DeleteAsset';
import { History } from '../../parts/History';
import { useMayChange } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { ReviewChange } from '../../parts/ReviewChange';
import { DashboardTab } from '../dashboards/DashboardTab';
import { useMaySeeRequests } from '../requests/rights';
import { ApiApplications } from './ApiApplications';
import { ApiState } from './ApiState';
import { Definition } from './Definition';
import { Operations } from './Operations';
import { Overview } from './Overview';
import { Policies } from './Policies';
import { apiSpec } from './spec';

const TABS = [
  'overview',
  'operations',
  'definition',
  'policies',
  'applications',
  'dashboard',
  'history',
  'edit',
] as const;
type Tab = (typeof TABS)[number];

const TITLES: Record<Tab, TextKey> = {
  overview: 'tab.overview',
  operations: 'tab.operations',
  definition: 'tab.definition',
  policies: 'tab.policies',
  applications: 'tab.applications',
  dashboard: 'tab.dashboard',
  history: 'tab.history',
  edit: 'tab.edit',
};

const route = getRouteApi('/apis/$name');

export function ApiPage() {
  const { t } = useTexts();
  const { name } = route.useParams();
  const { tab, hours } = route.useSearch();
  const navigate = route.useNavigate();
  const may = useMayChange('apis');
  const maySee = useMaySeeRequests();
  const query = useQuery(assetQuery('apis', name));
  const [change, setChange] = useState<Spec | null>(null);
  const [deleting, setDeleting] = useState(false);
  const back = { to: '/apis', label: t('nav.apis') };
  if (query.isPending) return <Skeleton height={320} />;
  if (query.isError) {
    return (
      <>
        <PageHeader title={name} back={back} />
        <ProblemBox error={query.error} retry={() => query.refetch()} />
      </>
    );
  }
  const api = query.data;
  const spec = apiSpec(api);
  const current: Tab = TABS.find((known) => known === tab) ?? 'overview';
  const hidden: Partial<Record<Tab, boolean>> = {
    definition: !spec.hasDefinition,
    dashboard: !maySee,
    edit: !may,
  };
  const tabs = TABS.filter((known) => hidden[known] !== true);
  const open = (to: string, replace = false) =>
    navigate({ params: { name: to }, search: (before) => before, replace });
  const saved = (asset: Asset) => {
    setChange(null);
    if (asset.name !== name) void open(asset.name, true);
  };
  const { inactive, ...rest } = api.spec;
  const switched: Spec = inactive === true ? rest : { ...api.spec, inactive: true };
  return (
    <>
      <PageHeader
        title={`${spec.title} ${spec.version}`}
        badge={<ApiState inactive={spec.inactive} />}
        about={spec.description}
        back={back}
      >
        {may && (
          <>
            <Button
              variant="default"
              leftSection={spec.inactive ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
              onClick={() => setChange(switched)}
            >
              {t(spec.inactive ? 'api.activate' : 'api.deactivate')}
            </Button>
            <Button
              variant="subtle"
              color="red"
              leftSection={<IconTrash size={16} />}
              onClick={() => setDeleting(true)}
            >
              {t('delete')}
            </Button>
          </>
        )}
      </PageHeader>
      <Tabs
        value={current}
        onChange={(value) =>
          navigate({ search: { tab: value === 'overview' || value === null ? undefined : value } })
        }
        keepMounted={false}
      >
        <Tabs.List mb="lg" style={{ overflowX: 'auto', flexWrap: 'nowrap' }}>
          {tabs.map((known) => (
            <Tabs.Tab key={known} value={known}>
              <Group gap={6} wrap="nowrap">
                {t(TITLES[known])}
                {known === 'policies' && spec.policies.length > 0 && (
                  <Badge size="sm" variant="light" circle>
                    {spec.policies.length}
                  </Badge>
                )}
              </Group>
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="operations">
          <Operations api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="definition">
          <Definition name={api.name} />
        </Tabs.Panel>
        <Tabs.Panel value="policies">
          <Policies api={api} onChange={setChange} />
        </Tabs.Panel>
        <Tabs.Panel value="applications">
          <ApiApplications name={api.name} />
        </Tabs.Panel>
        <Tabs.Panel value="dashboard">
          <DashboardTab
            of={{ api: api.name }}
            hours={hours}
            onHours={(to) => navigate({ search: { tab: 'dashboard', hours: to }, replace: true })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <History list="apis" asset={api} />
        </Tabs.Panel>
        <Tabs.Panel value="edit">
          <AssetEditor key={api.id} list="apis" base={api} onSaved={saved} />
        </Tabs.Panel>
      </Tabs>
      {change !== null && (
        <ReviewChange
          list="apis"
          base={api}
          spec={change}
          onClose={() => setChange(null)}
          onSaved={saved}
          onTakeTheirs={() => {
            setChange(null);
            void query.refetch();
          }}
        />
      )}
      {deleting && (
        <DeleteAsset
          list="apis"
          asset={api}
          onClose={() => setDeleting(false)}
          onDeleted={() => navigate({ to: '/apis' })}
        />
      )}
    </>
  );
}
