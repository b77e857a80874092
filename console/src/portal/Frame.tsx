/** The frame around every page of the portal: whose it is, where one can go, who is signed in. */
import {
  ActionIcon,
  Avatar,
  Box,
  Button,
  Drawer,
  Group,
  Menu,
  NavLink,
  Stack,
  Text,
  UnstyledButton,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChevronDown, IconLogout, IconMenu2, IconUserCog } from '@tabler/icons-react';
import { Outlet, useLocation } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Preferences } from '../app/Preferences';
import { useTexts } from '../i18n';
import { useLogOut } from '../session/useLogOut';
import classes from './Frame.module.css';
import { usePortalTexts } from './i18n';
import { Link, useGo } from './links';
import { Initial } from './parts/ApiCard';
import { LazyMarkdown } from './parts/LazyMarkdown';
import { useLook, useUser } from './visitor';

interface Place {
  to: string;
  label: string;
}

function usePlaces(): Place[] {
  const { p } = usePortalTexts();
  const { pages } = useLook();
  const user = useUser();
  return [
    { to: '/apis', label: p('nav.apis') },
    ...(user === undefined ? [] : [{ to: '/applications', label: p('nav.applications') }]),
    ...pages.map(({ slug, title }) => ({ to: `/pages/${slug}`, label: title })),
  ];
}

export function Frame() {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const look = useLook();
  const user = useUser();
  const places = usePlaces();
  const path = useLocation({ select: (location) => location.pathname });
  const [opened, { open, close }] = useDisclosure(false);
  useEffect(() => close(), [path, close]);
  const isHere = (to: string) => path === to || path.startsWith(`${to}/`);
  const footer = look.texts.footer;
  return (
    <Box className={classes.frame ?? ''}>
      <a href="#content" className="gw-skip">
        {t('skip')}
      </a>
      <header className={classes.head}>
        <div className={classes.bar}>
          <Brand />
          <nav className={classes.links} aria-label={t('nav')}>
            {places.map(({ to, label }) => (
              <Link key={to} to={to} className={classes.link} aria-current={isHere(to) ? 'page' : undefined}>
                {label}
              </Link>
            ))}
          </nav>
          <Group gap="sm" wrap="nowrap" className={classes.wide ?? ''}>
            <Preferences />
            {user === undefined ? <Doors /> : <UserMenu user={user} />}
          </Group>
          <ActionIcon
            className={classes.menu ?? ''}
            variant="subtle"
            color="gray"
            size="lg"
            onClick={open}
            aria-label={t('nav.open')}
          >
            <IconMenu2 size={22} />
          </ActionIcon>
        </div>
      </header>
      <Drawer
        opened={opened}
        onClose={close}
        position="right"
        size={300}
        title={look.title}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <Stack>
          <nav aria-label={t('nav')}>
            {places.map(({ to, label }) => (
              <NavLink
                key={to}
                label={label}
                active={isHere(to)}
                renderRoot={(props) => <Link to={to} {...props} />}
                style={{ borderRadius: 'var(--mantine-radius-md)' }}
              />
            ))}
          </nav>
          {user === undefined ? <Doors grow /> : <UserLinks user={user} />}
          <Preferences />
        </Stack>
      </Drawer>
      <main id="content" tabIndex={-1} className={classes.main}>
        <Outlet />
      </main>
      <footer className={classes.foot}>
        <div className={classes.inside}>
          {footer === undefined ? (
            <Text size="sm" c="dimmed">
              {p('footer', { title: look.title })}
            </Text>
          ) : (
            <LazyMarkdown text={footer} />
          )}
        </div>
      </footer>
    </Box>
  );
}

function Brand() {
  const { title, logo } = useLook();
  return (
    <Link to="/" className={classes.brand}>
      {logo == null ? <Initial name={title} /> : <img src={logo} alt="" />}
      <span>{title}</span>
    </Link>
  );
}

/** Ways in, for those who are not signed in. */
function Doors({ grow = false }: { grow?: boolean }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const { signUp } = useLook();
  return (
    <Group gap="xs" wrap="nowrap" grow={grow}>
      <Button variant="default" renderRoot={(props) => <Link to="/login" {...props} />}>
        {t('login.submit')}
      </Button>
      {signUp !== 'off' && (
        <Button renderRoot={(props) => <Link to="/signup" {...props} />}>{p('signUp')}</Button>
      )}
    </Group>
  );
}

function UserMenu({ user }: { user: string }) {
  const { t } = useTexts();
  const leave = useLeave();
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <UnstyledButton px={6} py={4}>
          <Group gap={6} wrap="nowrap">
            <Avatar size={30} radius="xl" color="gray" variant="filled" aria-hidden />
            <Text size="sm" fw={600} maw={140} truncate>
              {user}
            </Text>
            <IconChevronDown size={16} aria-hidden />
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconUserCog size={16} />}
          renderRoot={(props) => <Link to="/account" {...props} />}
        >
          {t('account')}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={leave}>
          {t('logout')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function UserLinks({ user }: { user: string }) {
  const { t } = useTexts();
  const leave = useLeave();
  return (
    <Box>
      <Text size="sm" c="dimmed" px="sm" pb={4}>
        {user}
      </Text>
      <NavLink
        label={t('account')}
        leftSection={<IconUserCog size={18} />}
        renderRoot={(props) => <Link to="/account" {...props} />}
      />
      <NavLink
        component="button"
        type="button"
        label={t('logout')}
        leftSection={<IconLogout size={18} />}
        onClick={leave}
      />
    </Box>
  );
}

function useLeave(): () => Promise<void> {
  const logOut = useLogOut();
  const go = useGo();
  return async () => {
    go({ to: '/' });
    await logOut();
  };
}
