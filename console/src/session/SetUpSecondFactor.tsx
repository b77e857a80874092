/** The way to a second factor: a secret for an app, a code that shows that the app has it, and recovery codes. */
import { Anchor, Button, Center, Group, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { Problem } from '../api/problem';
import { beginSecondFactor, confirmSecondFactor } from '../api/session';
import { useTexts } from '../i18n';
import { CommandLine } from '../parts/CommandLine';
import { ProblemBox } from '../parts/ProblemBox';
import { QrCode } from '../parts/QrCode';
import { CodeInput } from './CodeInput';

interface Props {
  done: () => void;
  cancel?: () => void;
}

export function SetUpSecondFactor({ done, cancel }: Props) {
  const { t } = useTexts();
  const [code, setCode] = useState('');
  const begin = useMutation({ mutationFn: beginSecondFactor });
  const confirm = useMutation({ mutationFn: () => confirmSecondFactor(code), onError: () => setCode('') });
  const start = begin.mutate;
  useEffect(() => start(), [start]);
  if (confirm.data !== undefined) return <RecoveryCodes codes={confirm.data} done={done} />;
  if (begin.isError) return <ProblemBox error={begin.error} retry={() => start()} />;
  if (begin.data === undefined) return null;
  const { secret, qrCode } = begin.data;
  const isWrong = confirm.error instanceof Problem && confirm.error.code === 'second_factor_wrong';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    confirm.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">{t('secondFactor.scan')}</Text>
        {qrCode.length > 0 && (
          <Center>
            <QrCode rows={qrCode} label={t('secondFactor.qrCode')} />
          </Center>
        )}
        <Text size="sm">{t('secondFactor.type')}</Text>
        <CommandLine text={secret.match(/.{1,4}/g)?.join(' ') ?? secret} label={t('secondFactor.secret')} />
        <CodeInput
          value={code}
          onChange={setCode}
          error={isWrong ? t('secondFactor.wrongClock') : undefined}
        />
        {confirm.isError && !isWrong && <ProblemBox error={confirm.error} />}
        <Group justify="flex-end">
          {cancel !== undefined && (
            <Button variant="default" onClick={cancel}>
              {t('back')}
            </Button>
          )}
          <Button type="submit" loading={confirm.isPending}>
            {t('secondFactor.confirm')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function RecoveryCodes({ codes, done }: { codes: string[]; done: () => void }) {
  const { t } = useTexts();
  const text = codes.join('\n');
  return (
    <Stack>
      <Text size="sm" role="status">
        {t('secondFactor.recovery')}
      </Text>
      <CommandLine text={text} label={t('secondFactor.recoveryCodes')} />
      <Group justify="space-between">
        <Anchor
          href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${text}\n`)}`}
          download="gatewright-recovery-codes.txt"
          size="sm"
        >
          {t('secondFactor.save')}
        </Anchor>
        <Button onClick={done}>{t('secondFactor.saved')}</Button>
      </Group>
    </Stack>
  );
}
