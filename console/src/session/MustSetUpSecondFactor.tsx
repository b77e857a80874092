/** For who needs a second factor and has none. */
import { Anchor, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { SetUpSecondFactor } from './SetUpSecondFactor';
import { useLogOut } from './useLogOut';

export function MustSetUpSecondFactor({ user }: { user: string }) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const logOut = useLogOut();
  return (
    <Stack>
      <Text size="sm">{t('secondFactor.must.text', { user })}</Text>
      <SetUpSecondFactor done={() => queries.invalidateQueries({ queryKey: sessionQuery.queryKey })} />
      <Group justify="center">
        <Anchor component="button" type="button" size="sm" onClick={logOut}>
          {t('logout')}
        </Anchor>
      </Group>
    </Stack>
  );
}
