/** A new password for whoever has come by a link in an e-mail. */
import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { resetPassword, sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { NewPasswordForm } from './NewPasswordForm';

interface Props {
  token: string;
  leave: () => void;
}

export function NewPasswordByLink({ token, leave }: Props) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const [done, setDone] = useState(false);
  const toLogin = () => {
    // The session of whoever was logged in here may have ended with the old password.
    void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    leave();
  };
  if (done) {
    return (
      <Stack>
        <Text role="status">{t('forgotten.done')}</Text>
        <Button onClick={toLogin}>{t('login.submit')}</Button>
      </Stack>
    );
  }
  return (
    <Stack>
      <NewPasswordForm save={(password) => resetPassword(token, password)} done={() => setDone(true)} />
      <Group justify="center">
        <Anchor component="button" type="button" size="sm" onClick={leave}>
          {t('forgotten.leave')}
        </Anchor>
      </Group>
    </Stack>
  );
}
