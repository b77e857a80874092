import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Problem } from '../api/problem';
import { logIn, sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';
import { useCountdown } from './useCountdown';

interface Props {
  /** Who was logged in before; somebody else cannot go on in their place. */
  user?: string;
  hint?: string;
}

export function LoginForm({ user: before, hint }: Props) {
  const { t, count } = useTexts();
  const queries = useQueryClient();
  const [user, setUser] = useState(before ?? '');
  const [password, setPassword] = useState('');
  const [wait, startWait] = useCountdown();
  const login = useMutation({
    mutationFn: () => logIn(user, password),
    onSuccess: (session) => {
      queries.setQueryData(sessionQuery.queryKey, session);
      void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
    },
    onError: (error) => {
      setPassword('');
      if (error instanceof Problem && error.status === 429) startWait(error.retryAfter ?? 60);
    },
  });
  const isWrong = login.error instanceof Problem && login.error.code === 'credentials_invalid';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {hint !== undefined && <Text size="sm">{hint}</Text>}
        <TextInput
          label={t('login.user')}
          autoComplete="username"
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
          readOnly={before !== undefined}
          required
          withAsterisk={false}
          data-autofocus={before === undefined}
          autoFocus={before === undefined}
        />
        <PasswordInput
          label={t('login.password')}
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={isWrong ? t('login.wrong') : undefined}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
          required
          withAsterisk={false}
          data-autofocus={before !== undefined}
        />
        {wait > 0 && (
          <Text size="sm" className="gw-warn" role="alert">
            {count('login.wait', wait)}
          </Text>
        )}
        {login.isError && !isWrong && wait === 0 && <ProblemBox error={login.error} />}
        <Button type="submit" loading={login.isPending} disabled={wait > 0} fullWidth>
          {t('login.submit')}
        </Button>
      </Stack>
    </form>
  );
}
