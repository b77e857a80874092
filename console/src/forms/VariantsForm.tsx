/** One of several kinds of object: first which, then the rest. */
import { Select, Stack } from '@mantine/core';
import type { Spec } from '../api/assets';
import { Description } from './Description';
import { useForm, useProblem } from './FormContext';
import { ObjectForm } from './SchemaForm';
import { type Field, variantsOf } from './schema';

interface Props {
  of: Field;
  value: Spec;
  path: string;
  onChange: (value: Spec) => void;
}

export function VariantsForm({ of, value, path, onChange }: Props) {
  const { readOnly } = useForm();
  const variants = variantsOf(of);
  const key = variants?.key ?? '';
  const problem = useProblem(path === '' ? key : `${path}.${key}`);
  if (variants === undefined) return null;
  const chosen = variants.options.find((option) => option.value === value[key]);
  const choose = (to: string | null) => {
    const { name } = value;
    if (to !== null) onChange({ [key]: to, ...(name === undefined ? {} : { name }) });
  };
  return (
    <Stack gap="md">
      <Select
        label={key}
        data={variants.options.map((option) => option.value)}
        value={chosen?.value ?? null}
        onChange={choose}
        allowDeselect={false}
        error={problem}
        disabled={readOnly}
        required
      />
      {chosen !== undefined && (
        <>
          <Description text={chosen.field.description} />
          <ObjectForm of={chosen.field} value={value} path={path} onChange={onChange} without={key} />
        </>
      )}
    </Stack>
  );
}
