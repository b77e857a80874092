/**
 * A form made from a JSON Schema. It shows what is required and what is set; the rest waits behind a button, so that an
 * asset with forty settings looks like the three that matter.
 */
import { Box, Button, Fieldset, Stack, Text } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { useState } from 'react';
import type { Spec } from '../api/assets';
import { useTexts } from '../i18n';
import { isObject } from '../pages/apis/spec';
import { Description } from './Description';
import { useHasProblem, useProblem } from './FormContext';
import { PolicyConfig, PolicyTypeSelect } from './PolicyFields';
import { type Field, isPolicy, type Property, propertiesOf, shapeOf, variantsOf, withKey } from './schema';
import { ValueField } from './ValueField';
import { VariantsForm } from './VariantsForm';

interface Props {
  of: Field;
  value: Spec;
  path: string;
  onChange: (value: Spec) => void;
}

export function SchemaForm({ of, value, path, onChange }: Props) {
  if (variantsOf(of) !== undefined)
    return <VariantsForm of={of} value={value} path={path} onChange={onChange} />;
  return <ObjectForm of={of} value={value} path={path} onChange={onChange} />;
}

interface ObjectProps extends Props {
  /** A key that is asked for elsewhere. */
  without?: string;
}

export function ObjectForm({ of, value, path, onChange, without }: ObjectProps) {
  const { t, count } = useTexts();
  const [all, setAll] = useState(false);
  const policy = isPolicy(of);
  const properties = propertiesOf(of).filter(({ name }) => name !== without);
  const isShown = ({ name, required }: Property) =>
    required || value[name] !== undefined || (policy && name === 'config');
  // A form without anything to fill in would say nothing.
  const few = properties.length <= 4;
  const shown = properties.filter((property) => few || isShown(property));
  const rest = properties.filter((property) => !few && !isShown(property));
  return (
    <Stack gap="md">
      <OwnProblem path={path} />
      {[...shown, ...(all ? rest : [])].map((property) => (
        <PropertyField
          key={property.name}
          property={property}
          policy={policy}
          value={value}
          path={path === '' ? property.name : `${path}.${property.name}`}
          onChange={onChange}
        />
      ))}
      {rest.length > 0 && (
        <Box>
          <Button
            variant="subtle"
            size="compact-sm"
            leftSection={all ? <IconChevronUp size={14} /> : <IconChevronDown size={14} />}
            aria-expanded={all}
            onClick={() => setAll(!all)}
          >
            {all ? t('form.less') : count('form.more', rest.length)}
          </Button>
        </Box>
      )}
    </Stack>
  );
}

interface PropertyProps {
  property: Property;
  policy: boolean;
  value: Spec;
  path: string;
  onChange: (value: Spec) => void;
}

function PropertyField({ property, policy, value, path, onChange }: PropertyProps) {
  const { name } = property;
  const current = value[name];
  const set = (to: unknown) => onChange(withKey(value, name, to));
  if (policy && name === 'type') {
    // What another type was told means nothing to this one.
    return (
      <PolicyTypeSelect
        value={current}
        path={path}
        onChange={(type) => onChange({ ...withKey(value, 'config', undefined), type })}
      />
    );
  }
  if (policy && name === 'config')
    return <PolicyConfig type={value.type} value={current} path={path} onChange={set} />;
  const shape = shapeOf(property);
  if (shape === 'object' || shape === 'variants') {
    return <NestedField property={property} value={current} path={path} onChange={set} />;
  }
  return (
    <ValueField
      of={property}
      label={name}
      required={property.required}
      value={current}
      path={path}
      onChange={set}
      fallback={property.fallback}
    />
  );
}

interface NestedProps {
  property: Property;
  value: unknown;
  path: string;
  onChange: (value: unknown) => void;
}

function NestedField({ property, value, path, onChange }: NestedProps) {
  const { t } = useTexts();
  const wrong = useHasProblem(path);
  const isSet = isObject(value);
  return (
    <Fieldset
      legend={property.name}
      variant="default"
      bg="transparent"
      style={wrong ? { borderColor: 'var(--gw-bad)' } : undefined}
    >
      <Stack gap="sm">
        <Description text={property.description} />
        {isSet || property.required ? (
          <>
            <SchemaForm of={property} value={isSet ? value : {}} path={path} onChange={onChange} />
            {!property.required && (
              <Box>
                <Button size="compact-sm" variant="subtle" color="red" onClick={() => onChange(undefined)}>
                  {t('form.unset', { name: property.name })}
                </Button>
              </Box>
            )}
          </>
        ) : (
          <Box>
            <Button size="compact-sm" variant="default" onClick={() => onChange({})}>
              {t('form.set', { name: property.name })}
            </Button>
          </Box>
        )}
      </Stack>
    </Fieldset>
  );
}

/** What is wrong with the object as a whole, such as a key that is missing. */
function OwnProblem({ path }: { path: string }) {
  const problem = useProblem(path);
  if (problem === undefined) return null;
  return (
    <Text size="sm" className="gw-bad" role="alert">
      {problem}
    </Text>
  );
}
