/** One's own second factor: set up, or turned off. */
import { Button, Group, PasswordInput, Skeleton, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Problem } from '../api/problem';
import { secondFactorQuery, sessionQuery, turnOffSecondFactor } from '../api/session';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';
import { useToast } from '../parts/Toasts';
import { CodeInput } from './CodeInput';
import { SetUpSecondFactor } from './SetUpSecondFactor';

export function SecondFactor() {
  const { t, count } = useTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const factor = useQuery(secondFactorQuery);
  const [doing, setDoing] = useState(false);
  const done = (text: string) => {
    toast(text);
    setDoing(false);
    void queries.invalidateQueries({ queryKey: secondFactorQuery.queryKey });
    // Where it is required, whoever turns it off sets it up anew.
    void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  };
  if (factor.isPending) return <Skeleton height={60} />;
  if (factor.isError) return <ProblemBox error={factor.error} retry={() => factor.refetch()} />;
  const { on, possible, recoveryCodes } = factor.data;
  if (!possible) return <Text size="sm">{t('secondFactor.elsewhere')}</Text>;
  if (doing && on) {
    return <TurnOff done={() => done(t('secondFactor.turnedOff'))} cancel={() => setDoing(false)} />;
  }
  if (doing) {
    return <SetUpSecondFactor done={() => done(t('secondFactor.turnedOn'))} cancel={() => setDoing(false)} />;
  }
  return (
    <Stack align="flex-start">
      <Text size="sm">{t(on ? 'secondFactor.isOn' : 'secondFactor.isOff')}</Text>
      {on && <Text size="sm">{count('secondFactor.left', recoveryCodes)}</Text>}
      <Button variant={on ? 'default' : 'filled'} onClick={() => setDoing(true)}>
        {t(on ? 'secondFactor.turnOff' : 'secondFactor.setUp')}
      </Button>
    </Stack>
  );
}

function TurnOff({ done, cancel }: { done: () => void; cancel: () => void }) {
  const { t } = useTexts();
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const off = useMutation({
    mutationFn: () => turnOffSecondFactor(password, code),
    onSuccess: done,
    onError: () => setCode(''),
  });
  const isWrong = off.error instanceof Problem && off.error.code === 'second_factor_wrong';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    off.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <PasswordInput
          label={t('password.current')}
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
          required
          withAsterisk={false}
        />
        <CodeInput
          value={code}
          onChange={setCode}
          recovery
          error={isWrong ? t('secondFactor.wrong') : undefined}
        />
        {off.isError && !isWrong && <ProblemBox error={off.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t('back')}
          </Button>
          <Button type="submit" color="red.9" loading={off.isPending}>
            {t('secondFactor.turnOff')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
