/** One of one's own applications: its keys, OAuth clients, subscriptions, usage, what it says about itself. */
import { Alert, Skeleton, Stack, Tabs } from '@mantine/core';
import { IconBan } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Problem } from '../../api/problem';
import { ProblemBox } from '../../parts/ProblemBox';
import { type Application, applicationQuery } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { applicationPath, useAddress, useGo } from '../links';
import { NotFound } from '../parts/NotFound';
import { Head, Page } from '../parts/Page';
import { SignedIn } from '../parts/SignedIn';
import { useLook } from '../visitor';
import { Keys } from './application/Keys';
import { OauthClients } from './application/OauthClients';
import { Settings } from './application/Settings';
import { Subscriptions } from './application/Subscriptions';

const Usage = lazy(() => import('./application/Usage'));

const TABS = ['access', 'usage', 'settings'] as const;

export function ApplicationPage() {
  return <SignedIn>{() => <Found />}</SignedIn>;
}

function Found() {
  const { p } = usePortalTexts();
  const { params } = useAddress<{ name: string }>();
  const application = useQuery(applicationQuery(params.name));
  if (application.error instanceof Problem && application.error.status === 404) return <NotFound />;
  return (
    <Page>
      {application.isPending && <Skeleton height={320} mt="xl" />}
      {application.isError && (
        <>
          <Head title={params.name} back={{ to: '/applications', label: p('nav.applications') }} />
          <ProblemBox error={application.error} retry={() => application.refetch()} />
        </>
      )}
      {application.data !== undefined && <One application={application.data} />}
    </Page>
  );
}

function One({ application }: { application: Application }) {
  const { p } = usePortalTexts();
  const { search } = useAddress<object, { tab?: string }>();
  const go = useGo();
  const tab = TABS.find((known) => known === search.tab) ?? 'access';
  const { oauth } = useLook();
  const { name, description, suspended } = application;
  return (
    <>
      <Head
        title={name}
        about={description ?? undefined}
        back={{ to: '/applications', label: p('nav.applications') }}
      />
      {suspended && (
        <Alert
          color="red"
          variant="light"
          icon={<IconBan size={18} />}
          mb="lg"
          title={p('application.suspended')}
        >
          {p('application.suspendedText')}
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(value) =>
          go({
            to: applicationPath(name),
            search: { tab: value === 'access' || value === null ? undefined : value },
            resetScroll: false,
          })
        }
        keepMounted={false}
      >
        <Tabs.List mb="xl">
          {TABS.map((known) => (
            <Tabs.Tab key={known} value={known}>
              {p(`application.tab.${known}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="access">
          <Stack gap={48}>
            <Keys application={application} />
            {(oauth != null || application.oauthClients.length > 0) && (
              <OauthClients application={application} offered={oauth ?? undefined} />
            )}
            <Subscriptions application={application} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="usage">
          <Suspense fallback={<Skeleton height={320} />}>
            <Usage application={name} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <Settings key={application.id} application={application} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
