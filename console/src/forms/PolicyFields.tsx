/** A policy in a form: which one, and what it is told, as its own schema says. */
import { Box, Button, Fieldset, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { parse } from 'yaml';
import { policyTypesQuery, STAGES } from '../api/policies';
import { useTexts } from '../i18n';
import { isObject } from '../pages/apis/spec';
import { Description } from './Description';
import { useForm, useProblem } from './FormContext';
import { SchemaForm } from './SchemaForm';
import { rootField } from './schema';
import { YamlField } from './YamlField';

interface TypeProps {
  value: unknown;
  path: string;
  onChange: (type: string) => void;
}

export function PolicyTypeSelect({ value, path, onChange }: TypeProps) {
  const { readOnly } = useForm();
  const error = useProblem(path);
  const { data: types = [] } = useQuery(policyTypesQuery);
  const groups = STAGES.map((stage) => ({
    group: stage,
    items: types.filter((type) => type.stage === stage).map(({ type }) => type),
  })).filter(({ items }) => items.length > 0);
  return (
    <Select
      label="type"
      data={groups}
      value={typeof value === 'string' ? value : null}
      onChange={(type) => type !== null && onChange(type)}
      allowDeselect={false}
      searchable
      error={error}
      disabled={readOnly}
      required
    />
  );
}

interface ConfigProps {
  type: unknown;
  value: unknown;
  path: string;
  onChange: (value: unknown) => void;
}

export function PolicyConfig({ type, value, path, onChange }: ConfigProps) {
  const { t } = useTexts();
  const { data: types = [] } = useQuery(policyTypesQuery);
  const known = types.find((policy) => policy.type === type);
  if (known === undefined) return null;
  const of = rootField(known.schema);
  const isPlain = of.schema.type === 'object' || of.schema.oneOf !== undefined;
  return (
    <Fieldset legend="config" bg="transparent">
      <Stack gap="sm">
        <Description text={of.description} />
        {isPlain ? (
          <SchemaForm of={of} value={isObject(value) ? value : {}} path={path} onChange={onChange} />
        ) : (
          <YamlField of={of} label="config" required={false} value={value} path={path} onChange={onChange} />
        )}
        {value === undefined && known.example.trim() !== '' && (
          <Box>
            <Button size="compact-sm" variant="default" onClick={() => onChange(parse(known.example))}>
              {t('form.example')}
            </Button>
            <Text size="xs" c="dimmed" mt={4}>
              {t('form.exampleHelp')}
            </Text>
          </Box>
        )}
      </Stack>
    </Fieldset>
  );
}
