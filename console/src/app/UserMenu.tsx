/** Who is logged in, their account, language and colours. */
import { Avatar, Box, Divider, Group, NavLink, Text } from '@mantine/core';
import { IconLogout, IconUserCog } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTexts } from '../i18n';
import { useSession } from '../session/session';
import { useLogOut } from '../session/useLogOut';
import { Preferences } from './Preferences';

export function UserMenu() {
  const { t } = useTexts();
  const { user } = useSession();
  const logOut = useLogOut();
  const round = { borderRadius: 'var(--mantine-radius-md)' };
  return (
    <Box>
      <Divider color="var(--gw-line)" />
      <Box p="sm">
        <Group gap="xs" px="xs" py={6} wrap="nowrap">
          <Avatar size={28} radius="xl" color="gate" variant="filled" aria-hidden>
            {user.slice(0, 1).toUpperCase()}
          </Avatar>
          <Text size="sm" fw={600} truncate>
            {user}
          </Text>
        </Group>
        <NavLink
          renderRoot={(props) => <Link to="/account" {...props} />}
          label={t('account')}
          leftSection={<IconUserCog size={18} stroke={1.7} />}
          style={round}
          py={6}
        />
        <NavLink
          component="button"
          type="button"
          label={t('logout')}
          leftSection={<IconLogout size={18} stroke={1.7} />}
          onClick={logOut}
          style={round}
          py={6}
        />
        <Box px="xs" pt="xs">
          <Preferences />
        </Box>
      </Box>
    </Box>
  );
}
