/** Who somebody is: a password, and then the code of a second factor, for who has one. */
import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Problem } from '../api/problem';
import { logIn, sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';
import { CodeInput } from './CodeInput';
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
  // Only who has given the right password is asked for a code.
  const [code, setCode] = useState<string | null>(null);
  const [wait, startWait] = useCountdown();
  const beginAgain = () => {
    setPassword('');
    setCode(null);
  };
  const login = useMutation({
    mutationFn: () => logIn(user, password, code ?? undefined),
    onSuccess: (session) => {
      queries.setQueryData(sessionQuery.queryKey, session);
      void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
    },
    onError: (error) => {
      const needs = codeOf(error);
      if (needs === 'second_factor_needed' || needs === 'second_factor_wrong') {
        setCode('');
        return;
      }
      beginAgain();
      if (error instanceof Problem && error.status === 429) startWait(error.retryAfter ?? 60);
    },
  });
  const said = codeOf(login.error);
  const isWrong = said === 'credentials_invalid';
  const isTold = isWrong || said === 'second_factor_needed' || said === 'second_factor_wrong';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {hint !== undefined && <Text size="sm">{hint}</Text>}
        {code === null ? (
          <>
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
          </>
        ) : (
          <CodeInput
            value={code}
            onChange={setCode}
            recovery
            error={said === 'second_factor_wrong' ? t('secondFactor.wrong') : undefined}
          />
        )}
        {wait > 0 && (
          <Text size="sm" className="gw-warn" role="alert">
            {count('login.wait', wait)}
          </Text>
        )}
        {login.isError && !isTold && wait === 0 && <ProblemBox error={login.error} />}
        <Button type="submit" loading={login.isPending} disabled={wait > 0} fullWidth>
          {t('login.submit')}
        </Button>
        {code !== null && (
          <Anchor component="button" type="button" size="sm" ta="center" onClick={beginAgain}>
            {t('back')}
          </Anchor>
        )}
      </Stack>
    </form>
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Problem ? error.code : undefined;
}
