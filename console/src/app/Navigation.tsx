/** Where one can go. What a user may not do is not offered. */
import { NavLink, Stack, Text } from '@mantine/core';
import {
  IconActivity,
  IconAddressBook,
  IconAdjustments,
  IconAffiliate,
  IconApi,
  IconArrowsSplit,
  IconAt,
  IconBell,
  IconCertificate,
  IconChartBar,
  IconCirclesRelation,
  IconFileCheck,
  IconFileText,
  IconHeartbeat,
  IconIdBadge2,
  IconKey,
  IconLink,
  IconListCheck,
  IconLock,
  IconPlugConnected,
  type IconProps,
  IconRosetteDiscountCheck,
  IconShieldLock,
  IconTemplate,
  IconTicket,
  IconUsers,
  IconUsersGroup,
  IconWorld,
} from '@tabler/icons-react';
import { Link, useLocation } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { useTexts } from '../i18n';
import { useMaySeeTokens } from '../pages/oauth/rights';
import { usePortalRights } from '../pages/portal/rights';
import { useMaySeeRequests } from '../pages/requests/rights';
import { useMaySeeSettings } from '../pages/settings/rights';
import { useKinds, useKindTexts } from '../parts/kinds';
import { MAY, useMay } from '../session/session';

const ICONS: Record<string, ComponentType<IconProps>> = {
  applications: IconAddressBook,
  upstreams: IconArrowsSplit,
  policies: IconShieldLock,
  policyTemplates: IconTemplate,
  aliases: IconAt,
  urlAliases: IconLink,
  destinations: IconBell,
  listeners: IconPlugConnected,
  authorizationServers: IconKey,
  secrets: IconLock,
  keystores: IconCertificate,
  truststores: IconRosetteDiscountCheck,
  users: IconUsers,
  groups: IconUsersGroup,
  teams: IconAffiliate,
  teamRules: IconListCheck,
  plans: IconTicket,
  subscriptions: IconCirclesRelation,
  apiDocuments: IconFileText,
};

/** Kinds that have a place of their own in the navigation. */
const ADMINISTRATION = ['users', 'groups', 'teams', 'teamRules'];
const ELSEWHERE = ['apis', 'portals', 'sharedSettings', ...ADMINISTRATION];
const FIRST = ['applications', 'upstreams', 'policies', 'policyTemplates', 'aliases'];

export function Navigation() {
  const { t } = useTexts();
  const kinds = useKinds().map((kind) => kind.list);
  const maySeeRequests = useMaySeeRequests();
  const portal = usePortalRights();
  const mayUsers = useMay(MAY.users);
  const mayAdministration = useMay(MAY.administration);
  const maySeeTokens = useMaySeeTokens();
  const maySeeSettings = useMaySeeSettings();
  const rest = kinds.filter((list) => !ELSEWHERE.includes(list) && !FIRST.includes(list));
  const configuration = [...FIRST.filter((list) => kinds.includes(list)), ...rest];
  return (
    <nav aria-label={t('nav')}>
      <Stack gap={2}>
        <Item to="/apis" label={t('nav.apis')} icon={IconApi} />
        {maySeeRequests && <Item to="/requests" label={t('nav.requests')} icon={IconActivity} />}
        {maySeeRequests && <Item to="/dashboards" label={t('nav.dashboards')} icon={IconChartBar} />}
        {portal.any && <Item to="/portal" label={t('nav.portal')} icon={IconWorld} />}
        <Heading text={t('nav.configuration')} />
        {configuration.map((list) => (
          <KindItem key={list} list={list} />
        ))}
        <Heading text={t('nav.administration')} />
        {mayUsers &&
          ADMINISTRATION.filter((list) => kinds.includes(list)).map((list) => (
            <KindItem key={list} list={list} />
          ))}
        {maySeeTokens && <Item to="/oauth-tokens" label={t('nav.oauthTokens')} icon={IconIdBadge2} />}
        {maySeeSettings && <Item to="/settings" label={t('nav.settings')} icon={IconAdjustments} />}
        {mayAdministration && <Item to="/audit" label={t('nav.audit')} icon={IconFileCheck} />}
        <Item to="/status" label={t('nav.status')} icon={IconHeartbeat} />
      </Stack>
    </nav>
  );
}

function Heading({ text }: { text: string }) {
  return (
    <Text size="xs" fw={600} c="dimmed" mt="md" mb={4} px="sm">
      {text}
    </Text>
  );
}

function KindItem({ list }: { list: string }) {
  const { many } = useKindTexts(list);
  return <Item to={`/assets/${list}`} label={many} icon={ICONS[list] ?? IconTemplate} />;
}

function Item({ to, label, icon: Icon }: { to: string; label: string; icon: ComponentType<IconProps> }) {
  const path = useLocation({ select: (location) => location.pathname });
  const isHere = path === to || path.startsWith(`${to}/`);
  return (
    <NavLink
      renderRoot={(props) => <Link to={to} {...props} />}
      label={label}
      active={isHere}
      aria-current={isHere ? 'page' : undefined}
      leftSection={<Icon size={18} stroke={1.7} />}
      variant="light"
      style={{ borderRadius: 'var(--mantine-radius-md)' }}
      py={7}
    />
  );
}
