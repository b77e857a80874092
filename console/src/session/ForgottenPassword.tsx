/** For who has forgotten the password: a link by e-mail, where there is a server for that. */
import { Anchor, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { askForPasswordReset, passwordResetQuery } from '../api/session';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';

export function ForgottenPassword() {
  const { t } = useTexts();
  // Without an answer there is whoever manages users.
  const { data: isOn = false } = useQuery(passwordResetQuery);
  const [opened, setOpened] = useState(false);
  const [user, setUser] = useState('');
  const ask = useMutation({ mutationFn: () => askForPasswordReset(user.trim()) });
  if (!isOn) return null;
  const close = () => {
    setOpened(false);
    ask.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  return (
    <Group justify="center" mt="md">
      <Anchor component="button" type="button" size="sm" onClick={() => setOpened(true)}>
        {t('forgotten.title')}
      </Anchor>
      <Modal
        opened={opened}
        onClose={close}
        title={t('forgotten.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
        centered
      >
        {ask.isSuccess ? (
          <Stack>
            <Text role="status">{t('forgotten.sent')}</Text>
            <Button onClick={close}>{t('close')}</Button>
          </Stack>
        ) : (
          <form onSubmit={submit}>
            <Stack>
              <TextInput
                label={t('forgotten.user')}
                description={t('forgotten.about')}
                autoComplete="username"
                value={user}
                onChange={(event) => setUser(event.currentTarget.value)}
                required
                withAsterisk={false}
                data-autofocus
              />
              {ask.isError && <ProblemBox error={ask.error} />}
              <Button type="submit" loading={ask.isPending} disabled={user.trim() === ''}>
                {t('forgotten.send')}
              </Button>
            </Stack>
          </form>
        )}
      </Modal>
    </Group>
  );
}
