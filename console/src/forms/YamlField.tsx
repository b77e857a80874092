/** What no form fits, as YAML. */
import { Textarea } from '@mantine/core';
import { useState } from 'react';
import { parse } from 'yaml';
import { useTexts } from '../i18n';
import { toYaml } from '../parts/yaml';
import { Words } from './Description';
import { useForm, useProblem } from './FormContext';
import type { ValueProps } from './ValueField';

export function YamlField({ of, label, required, value, path, onChange }: ValueProps) {
  const { t } = useTexts();
  const { readOnly } = useForm();
  const problem = useProblem(path);
  const [draft, setDraft] = useState<string | null>(null);
  const [broken, setBroken] = useState(false);
  const change = (text: string) => {
    setDraft(text);
    try {
      const read: unknown = parse(text);
      setBroken(false);
      onChange(read ?? undefined);
    } catch {
      setBroken(true);
    }
  };
  return (
    <Textarea
      label={label}
      description={of.description === undefined ? undefined : <Words text={of.description} />}
      error={broken ? t('form.brokenYaml') : problem}
      disabled={readOnly}
      required={required}
      value={draft ?? toYaml(value)}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={() => !broken && setDraft(null)}
      autosize
      minRows={1}
      maxRows={16}
      classNames={{ input: 'gw-mono' }}
      spellCheck={false}
      placeholder="YAML"
    />
  );
}
