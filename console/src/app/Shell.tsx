/** The frame around every page: navigation at the side, or behind a button where there is no room for it. */
import { ActionIcon, Box, Drawer, Group, Kbd, Text, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMenu2, IconSearch } from '@tabler/icons-react';
import { Outlet, useLocation } from '@tanstack/react-router';
import { lazy, Suspense, useEffect } from 'react';
import { useTexts } from '../i18n';
import { Mark } from './Mark';
import { Navigation } from './Navigation';
import classes from './Shell.module.css';
import { useShortcuts } from './shortcuts';
import { UserMenu } from './UserMenu';

const Palette = lazy(() => import('./Palette'));

export function Shell() {
  const { t } = useTexts();
  const [opened, { open, close }] = useDisclosure(false);
  const path = useLocation({ select: (location) => location.pathname });
  useEffect(() => close(), [path, close]);
  const [searching, search] = useDisclosure(false);
  useShortcuts(search.open);
  return (
    <Box className={classes.shell ?? ''}>
      <a href="#content" className="gw-skip">
        {t('skip')}
      </a>
      <header className={classes.bar}>
        <ActionIcon variant="subtle" color="gray" size="lg" onClick={open} aria-label={t('nav.open')}>
          <IconMenu2 size={22} />
        </ActionIcon>
        <Brand />
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          ml="auto"
          onClick={search.open}
          aria-label={t('palette.open')}
        >
          <IconSearch size={20} />
        </ActionIcon>
      </header>
      <aside className={classes.side}>
        <Group px="md" py="lg">
          <Brand />
        </Group>
        <UnstyledButton className={classes.find ?? ''} onClick={search.open}>
          <IconSearch size={16} aria-hidden />
          <span>{t('palette.open')}</span>
          <Kbd size="xs" aria-hidden>
            {/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'}
          </Kbd>
        </UnstyledButton>
        <Box className={classes.nav ?? ''}>
          <Navigation />
        </Box>
        <UserMenu />
      </aside>
      <Drawer
        opened={opened}
        onClose={close}
        size={280}
        title={<Brand />}
        closeButtonProps={{ 'aria-label': t('close') }}
        padding="md"
      >
        <Navigation />
        <Box mt="md">
          <UserMenu />
        </Box>
      </Drawer>
      {searching && (
        <Suspense>
          <Palette onClose={search.close} />
        </Suspense>
      )}
      <main id="content" tabIndex={-1} className={classes.main}>
        <Outlet />
      </main>
    </Box>
  );
}

function Brand() {
  return (
    <Group gap="xs" wrap="nowrap">
      <Mark size={28} />
      <Text fw={700} fz="lg">
        Gatewright
      </Text>
    </Group>
  );
}
