/** A code of a second factor, as phones and password managers fill it in. */
import { TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTexts } from '../i18n';

interface Props {
  value: string;
  onChange: (code: string) => void;
  /** A recovery code is good, too. */
  recovery?: boolean;
  error?: ReactNode;
}

export function CodeInput({ value, onChange, recovery = false, error }: Props) {
  const { t } = useTexts();
  return (
    <TextInput
      label={t('secondFactor.code')}
      description={t(recovery ? 'secondFactor.codeOrRecovery' : 'secondFactor.codeHelp')}
      autoComplete="one-time-code"
      autoCapitalize="none"
      spellCheck={false}
      inputMode={recovery ? 'text' : 'numeric'}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={error}
      required
      withAsterisk={false}
      autoFocus
      data-autofocus
    />
  );
}
