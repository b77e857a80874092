/** One API: what it is, how to call it, how to get access, what others say. */
import { Badge, Box, Button, Group, Select, Skeleton, Tabs } from '@mantine/core';
import { IconDownload, IconPlayerPlay, IconTicket } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Problem } from '../../api/problem';
import { ProblemBox } from '../../parts/ProblemBox';
import { type ApiDetail, apiQuery } from '../api/portal';
import { type PortalKey, usePortalTexts } from '../i18n';
import { apiPath, useAddress, useGo } from '../links';
import { LifeBadge, LifeNote } from '../parts/Life';
import { NotFound } from '../parts/NotFound';
import { Head, Page } from '../parts/Page';
import { Stars } from '../parts/Stars';
import type { ApiSearch } from '../router';
import { useLook } from '../visitor';
import { ApiOverview } from './api/ApiOverview';
import { Changes } from './api/Changes';
import { Discussion } from './api/Discussion';
import { Documents } from './api/Documents';
import { Downloads } from './api/Downloads';
import { Plans } from './api/Plans';

const Reference = lazy(() => import('./api/Reference'));

const TABS = ['overview', 'reference', 'plans', 'documents', 'changes', 'discussion'] as const;
type Tab = (typeof TABS)[number];

export function ApiPage() {
  const { p } = usePortalTexts();
  const { params } = useAddress<{ name: string }>();
  const query = useQuery(apiQuery(params.name));
  if (query.error instanceof Problem && query.error.status === 404) return <NotFound />;
  return (
    <Page>
      {query.isPending && <Skeleton height={360} mt="xl" />}
      {query.isError && (
        <>
          <Head title={params.name} back={{ to: '/apis', label: p('nav.apis') }} />
          <ProblemBox error={query.error} retry={() => query.refetch()} />
        </>
      )}
      {query.data !== undefined && <Api api={query.data} />}
    </Page>
  );
}

/** Tabs that have something to show. */
function tabsOf(api: ApiDetail, feedback: boolean): Tab[] {
  const has: Record<Tab, boolean> = {
    overview: true,
    reference: api.hasDefinition,
    plans: api.plans.length > 0,
    documents: api.documents.length > 0,
    changes: api.changes.length > 0,
    discussion: feedback,
  };
  return TABS.filter((tab) => has[tab]);
}

function Api({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const { search } = useAddress<object, ApiSearch>();
  const { feedback, tryIt } = useLook();
  const go = useGo();
  const tabs = tabsOf(api, feedback);
  const current = tabs.find((tab) => tab === search.tab) ?? 'overview';
  const open = (tab: string | null) =>
    go({
      to: apiPath(api.name),
      search: { tab: tab === 'overview' || tab === null ? undefined : tab },
      resetScroll: false,
    });
  return (
    <>
      <Head
        title={api.title}
        back={{ to: '/apis', label: p('nav.apis') }}
        badge={
          <>
            <Version api={api} />
            <LifeBadge api={api} />
            {api.visibility === 'restricted' && (
              <Badge variant="light" color="orange" tt="none">
                {p('api.restricted')}
              </Badge>
            )}
          </>
        }
        about={
          <>
            {api.summary}
            {feedback && (
              <Box mt="sm">
                <Stars rating={api.rating} />
              </Box>
            )}
          </>
        }
      >
        {api.plans.length > 0 && (
          <Button leftSection={<IconTicket size={18} />} onClick={() => open('plans')}>
            {p('api.getAccess')}
          </Button>
        )}
        {api.hasDefinition && tryIt && (
          <Button
            variant="default"
            leftSection={<IconPlayerPlay size={18} />}
            onClick={() => open('reference')}
          >
            {p('try.title')}
          </Button>
        )}
        {api.hasDefinition && (
          <Downloads api={api}>
            <Button variant="default" leftSection={<IconDownload size={18} />}>
              {p('download')}
            </Button>
          </Downloads>
        )}
      </Head>
      <LifeNote api={api} />
      <Tabs value={current} onChange={open} keepMounted={false}>
        <Tabs.List mb="xl" style={{ overflowX: 'auto', flexWrap: 'nowrap' }}>
          {tabs.map((tab) => (
            <Tabs.Tab key={tab} value={tab}>
              {p(`tab.${tab}` satisfies PortalKey)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <ApiOverview api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="reference">
          <Suspense fallback={<Skeleton height={360} />}>
            <Reference api={api} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="plans">
          <Plans api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="documents">
          <Documents api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="changes">
          <Changes api={api} />
        </Tabs.Panel>
        <Tabs.Panel value="discussion">
          <Discussion api={api} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function Version({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const go = useGo();
  if (api.versions.length < 2) {
    return (
      <Badge variant="default" tt="none">
        {p('api.version', { version: api.version })}
      </Badge>
    );
  }
  return (
    <Group gap={6}>
      <Select
        size="xs"
        w={150}
        aria-label={p('api.versions')}
        value={api.name}
        onChange={(name) => name !== null && go({ to: apiPath(name) })}
        allowDeselect={false}
        data={api.versions.map(({ name, version }) => ({
          value: name,
          label: p('api.version', { version }),
        }))}
      />
    </Group>
  );
}
