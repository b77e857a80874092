/** One asset of any kind: change it, look back, delete it. */
import { Button, Modal, Skeleton, Tabs } from '@mantine/core';
import { IconKey, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { type Asset, assetQuery } from '../../api/assets';
import { AssetEditor } from '../../forms/AssetEditor';
import { useTexts } from '../../i18n';
import { Code } from '../../parts/code';
import { DeleteAsset } from '../../parts/DeleteAsset';
import { History } from '../../parts/History';
import { useKindTexts, useMayChange } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { toYaml } from '../../parts/yaml';
import { PasswordForm } from '../../session/PasswordForm';
import { text } from '../apis/spec';
import { DashboardTab } from '../dashboards/DashboardTab';
import { useMaySeeRequests } from '../requests/rights';

const route = getRouteApi('/assets/$list/of/$name');

export function AssetPage() {
  const { t } = useTexts();
  const { list, name } = route.useParams();
  const { tab, hours } = route.useSearch();
  const navigate = route.useNavigate();
  const { many, about } = useKindTexts(list);
  const may = useMayChange(list);
  const maySee = useMaySeeRequests();
  const query = useQuery(assetQuery(list, name));
  const [deleting, setDeleting] = useState(false);
  const back = { to: `/assets/${list}`, label: many };
  if (query.isPending) return <Skeleton height={320} />;
  if (query.isError) {
    return (
      <>
        <PageHeader title={name} back={back} />
        <ProblemBox error={query.error} retry={() => query.refetch()} />
      </>
    );
  }
  const asset = query.data;
  const hasDashboard = list === 'applications' && maySee;
  const tabs = ['edit', ...(hasDashboard ? ['dashboard'] : []), 'history'];
  const current = tabs.find((known) => known === tab) ?? 'edit';
  const saved = ({ name: to }: Asset) => {
    if (to !== name)
      void navigate({
        params: { list, name: to },
        search: (before) => before,
        replace: true,
        ignoreBlocker: true,
      });
  };
  return (
    <>
      <PageHeader title={asset.name} about={text(asset.spec.description) ?? about} back={back}>
        {may && list === 'users' && <SetPassword user={asset.name} />}
        {may && (
          <Button
            variant="subtle"
            color="red"
            leftSection={<IconTrash size={16} />}
            onClick={() => setDeleting(true)}
          >
            {t('delete')}
          </Button>
        )}
      </PageHeader>
      <Tabs
        value={current}
        onChange={(value) =>
          navigate({ search: { tab: value === 'edit' || value === null ? undefined : value } })
        }
        keepMounted={false}
      >
        <Tabs.List mb="lg">
          <Tabs.Tab value="edit">{t(may ? 'tab.edit' : 'tab.document')}</Tabs.Tab>
          {hasDashboard && <Tabs.Tab value="dashboard">{t('tab.dashboard')}</Tabs.Tab>}
          <Tabs.Tab value="history">{t('tab.history')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="edit">
          {may ? (
            <AssetEditor key={asset.id} list={list} base={asset} onSaved={saved} />
          ) : (
            <Code value={toYaml(asset.spec)} label="YAML" language="yaml" />
          )}
        </Tabs.Panel>
        {hasDashboard && (
          <Tabs.Panel value="dashboard">
            <DashboardTab
              of={{ application: asset.name }}
              hours={hours}
              onHours={(to) => navigate({ search: { tab: 'dashboard', hours: to }, replace: true })}
            />
          </Tabs.Panel>
        )}
        <Tabs.Panel value="history">
          <History list={list} asset={asset} />
        </Tabs.Panel>
      </Tabs>
      {deleting && (
        <DeleteAsset
          list={list}
          asset={asset}
          onClose={() => setDeleting(false)}
          onDeleted={() => navigate({ to: '/assets/$list', params: { list }, ignoreBlocker: true })}
        />
      )}
    </>
  );
}

function SetPassword({ user }: { user: string }) {
  const { t } = useTexts();
  const toast = useToast();
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button variant="default" leftSection={<IconKey size={16} />} onClick={() => setOpened(true)}>
        {t('users.setPassword')}
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        title={t('users.passwordOf', { user })}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <PasswordForm
          user={user}
          own={false}
          done={() => {
            setOpened(false);
            toast(t('users.passwordSet', { user }));
          }}
        />
      </Modal>
    </>
  );
}
