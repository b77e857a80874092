/** A new password, twice, and the one before it from whoever changes their own. */
import { Button, PasswordInput, Stack } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';

const SHORTEST = 12;

interface Props {
  /** Whose it is, for whatever keeps passwords in the browser. */
  user?: string;
  /** Whoever changes their own password says the one that they have. */
  own?: boolean;
  save: (password: string, current: string) => Promise<void>;
  done: () => void;
}

export function NewPasswordForm({ user, own = false, save: set, done }: Props) {
  const { t } = useTexts();
  const [current, setCurrent] = useState('');
  const [password, setNew] = useState('');
  const [again, setAgain] = useState('');
  const [tried, setTried] = useState(false);
  const save = useMutation({
    mutationFn: () => set(password, current),
    onSuccess: () => {
      setCurrent('');
      setNew('');
      setAgain('');
      setTried(false);
      done();
    },
  });
  const isShort = password.length < SHORTEST;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isShort && password === again) save.mutate();
  };
  const eye = { 'aria-label': t('password.show') };
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {user !== undefined && (
          <input type="text" name="username" autoComplete="username" value={user} readOnly hidden />
        )}
        {own && (
          <PasswordInput
            label={t('password.current')}
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            visibilityToggleButtonProps={eye}
          />
        )}
        <PasswordInput
          label={t('password.new')}
          description={t('password.rule', { count: SHORTEST })}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setNew(event.currentTarget.value)}
          error={tried && isShort ? t('password.short', { count: SHORTEST }) : undefined}
          visibilityToggleButtonProps={eye}
        />
        <PasswordInput
          label={t('password.again')}
          autoComplete="new-password"
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          error={tried && password !== again ? t('password.different') : undefined}
          visibilityToggleButtonProps={eye}
        />
        {save.isError && <ProblemBox error={save.error} />}
        <Button type="submit" loading={save.isPending}>
          {t('password.save')}
        </Button>
      </Stack>
    </form>
  );
}
