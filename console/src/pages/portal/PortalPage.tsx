/** The developer portal, for those who run it: what waits for approval, subscriptions, how it looks. */
import { Badge, Button, Group, Tabs } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { approvalsQuery } from '../../api/portalAdmin';
import { useTexts } from '../../i18n';
import { PageHeader } from '../../parts/PageHeader';
import { ApprovalsTab } from './Approvals';
import { LookTab } from './Look';
import { usePortalRights } from './rights';
import { SubscriptionsTab } from './Subscriptions';
import { usePortalAdminTexts } from './texts';

const route = getRouteApi('/portal');

export function PortalPage() {
  const { t } = useTexts();
  const { p, number } = usePortalAdminTexts();
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  const rights = usePortalRights();
  const approvals = useQuery({ ...approvalsQuery, enabled: rights.approvals });
  const waiting = (approvals.data?.signUps.length ?? 0) + (approvals.data?.subscriptions.length ?? 0);
  const tabs = [
    ...(rights.approvals ? (['approvals'] as const) : []),
    ...(rights.plans ? (['subscriptions'] as const) : []),
    ...(rights.look ? (['look'] as const) : []),
  ];
  const current = tabs.find((known) => known === tab) ?? tabs[0] ?? 'approvals';
  return (
    <>
      <PageHeader title={t('nav.portal')} about={p('about')}>
        <Button
          component="a"
          href="/portal/"
          target="_blank"
          variant="default"
          rightSection={<IconExternalLink size={16} />}
        >
          {p('open')}
        </Button>
      </PageHeader>
      <Tabs
        value={current}
        onChange={(value) => navigate({ search: { tab: value ?? undefined } })}
        keepMounted={false}
      >
        <Tabs.List mb="lg">
          {tabs.map((known) => (
            <Tabs.Tab key={known} value={known}>
              <Group gap={6} wrap="nowrap">
                {p(`tab.${known}`)}
                {known === 'approvals' && waiting > 0 && (
                  <Badge size="sm" variant="light" circle>
                    {number(waiting)}
                  </Badge>
                )}
              </Group>
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="approvals">
          <ApprovalsTab />
        </Tabs.Panel>
        <Tabs.Panel value="subscriptions">
          <SubscriptionsTab />
        </Tabs.Panel>
        <Tabs.Panel value="look">
          <LookTab />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
