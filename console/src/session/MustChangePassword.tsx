import { Anchor, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { PasswordForm } from './PasswordForm';
import { useLogOut } from './useLogOut';

export function MustChangePassword({ user }: { user: string }) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const logOut = useLogOut();
  return (
    <Stack>
      <Text size="sm">{t('password.must.text', { user })}</Text>
      <PasswordForm
        user={user}
        own
        done={() => queries.invalidateQueries({ queryKey: sessionQuery.queryKey })}
      />
      <Group justify="center">
        <Anchor component="button" type="button" size="sm" onClick={logOut}>
          {t('logout')}
        </Anchor>
      </Group>
    </Stack>
  );
}
