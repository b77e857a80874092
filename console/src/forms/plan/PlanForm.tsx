/**
 * A plan as people say it: so many requests within so long, so many in every so much of the calendar. What it does not
 * know is asked for as the schema says.
 */
import { Fieldset, Group, NumberInput, Select, Stack, Switch, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Spec } from '../../api/assets';
import { isObject, text } from '../../pages/apis/spec';
import { useProblem } from '../FormContext';
import { ObjectForm } from '../SchemaForm';
import { type Field, propertiesOf, withKey, without } from '../schema';
import { readLength, type Unit, UNITS, writeLength } from './duration';
import { usePlanTexts } from './texts';

const PERIODS = ['minute', 'hour', 'day', 'week', 'month', 'year'] as const;
/** What limits begin with. */
const RATE: Spec = { requests: 10, window: '1s' };
const QUOTA: Spec = { requests: 10_000, per: 'month' };

const KNOWN = {
  plan: ['name', 'displayName', 'description', 'rate', 'quota', 'stopOnQuotaReach', 'approval'],
  rate: ['requests', 'window', 'burst'],
  quota: ['requests', 'per', 'units'],
} as const;

interface Props {
  of: Field;
  value: Spec;
  onChange: (value: Spec) => void;
}

export default function PlanForm({ of, value, onChange }: Props) {
  const { p } = usePlanTexts();
  const part = (name: 'rate' | 'quota') =>
    propertiesOf(of).find((property) => property.name === name) ?? { ...of, schema: {} };
  const set = (key: string, to: unknown) => onChange(withKey(value, key, to));
  // Without a quota there is nothing that could be used up.
  const withoutQuota = () =>
    onChange(withKey(withKey(value, 'quota', undefined), 'stopOnQuotaReach', undefined));
  return (
    <Stack gap="md">
      {(['name', 'displayName', 'description'] as const).map((key) => (
        <Words
          key={key}
          path={key}
          label={p(key)}
          help={p(`${key}.help`)}
          value={value[key]}
          onChange={(to) => set(key, to)}
          required={key === 'name'}
        />
      ))}
      <Limit
        legend={p('rate')}
        label={p('rate.switch')}
        help={p('rate.help')}
        isSet={isObject(value.rate)}
        onSwitch={(on) => set('rate', on ? RATE : undefined)}
      >
        {isObject(value.rate) && (
          <Rate of={part('rate')} value={value.rate} onChange={(to) => set('rate', to)} />
        )}
      </Limit>
      <Limit
        legend={p('quota')}
        label={p('quota.switch')}
        help={p('quota.help')}
        isSet={isObject(value.quota)}
        onSwitch={(on) => (on ? set('quota', QUOTA) : withoutQuota())}
      >
        {isObject(value.quota) && (
          <>
            <Quota of={part('quota')} value={value.quota} onChange={(to) => set('quota', to)} />
            <Switch
              label={p('stop')}
              description={p('stop.help')}
              // It is so where nothing is said.
              checked={value.stopOnQuotaReach !== false}
              onChange={(event) => set('stopOnQuotaReach', event.currentTarget.checked ? undefined : false)}
            />
          </>
        )}
      </Limit>
      <Switch
        label={p('approval')}
        description={p('approval.help')}
        checked={value.approval === true}
        onChange={(event) => set('approval', event.currentTarget.checked || undefined)}
      />
      <ObjectForm of={without(of, KNOWN.plan)} value={value} path="" onChange={onChange} />
    </Stack>
  );
}

function Rate({ of, value, onChange }: Props) {
  const { p } = usePlanTexts();
  const length = readLength(value.window);
  const unit = length?.unit ?? 's';
  const set = (key: string, to: unknown) => onChange(withKey(value, key, to));
  const setWindow = (amount: number | undefined, of: Unit) =>
    // Where nothing is said, it is a second.
    set(
      'window',
      amount === undefined && of === 's' ? undefined : writeLength({ amount: amount ?? 1, unit: of }),
    );
  return (
    <>
      <Group align="flex-start" gap="sm">
        <Count
          path="rate.requests"
          label={p('requests')}
          value={value.requests}
          onChange={(to) => set('requests', to)}
        />
        <Count
          path="rate.window"
          label={p('within')}
          value={length?.amount}
          usual={1}
          onChange={(to) => setWindow(to, unit)}
        />
        <Choice
          options={UNITS.map((known) => ({ value: known, label: p(`unit.${known}`) }))}
          value={unit}
          onChange={(to) => setWindow(length?.amount, to)}
        />
      </Group>
      <Group>
        <Count
          path="rate.burst"
          label={p('burst')}
          help={p('burst.help')}
          value={value.burst}
          usual={typeof value.requests === 'number' ? value.requests : undefined}
          onChange={(to) => set('burst', to)}
        />
      </Group>
      <ObjectForm of={without(of, KNOWN.rate)} value={value} path="rate" onChange={onChange} />
    </>
  );
}

function Quota({ of, value, onChange }: Props) {
  const { p } = usePlanTexts();
  const set = (key: string, to: unknown) => onChange(withKey(value, key, to));
  return (
    <>
      <Group align="flex-start" gap="sm">
        <Count
          path="quota.requests"
          label={p('requests')}
          value={value.requests}
          onChange={(to) => set('requests', to)}
        />
        <Count
          path="quota.units"
          label={p('every')}
          value={value.units}
          usual={1}
          most={255}
          onChange={(to) => set('units', to)}
        />
        <Choice
          options={PERIODS.map((known) => ({ value: known, label: p(`unit.${known}`) }))}
          value={PERIODS.find((known) => known === value.per)}
          onChange={(to) => set('per', to)}
        />
      </Group>
      <ObjectForm of={without(of, KNOWN.quota)} value={value} path="quota" onChange={onChange} />
    </>
  );
}

interface WordsProps {
  path: string;
  label: string;
  help: string;
  value: unknown;
  onChange: (to: string | undefined) => void;
  required: boolean;
}

function Words({ path, label, help, value, onChange, required }: WordsProps) {
  return (
    <TextInput
      label={label}
      description={help}
      value={text(value) ?? ''}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
      error={useProblem(path)}
      required={required}
    />
  );
}

interface LimitProps {
  legend: string;
  label: string;
  help: string;
  isSet: boolean;
  onSwitch: (on: boolean) => void;
  children: ReactNode;
}

function Limit({ legend, label, help, isSet, onSwitch, children }: LimitProps) {
  return (
    <Fieldset legend={legend} variant="default" bg="transparent">
      <Stack gap="md">
        <Switch
          label={label}
          description={help}
          checked={isSet}
          onChange={(event) => onSwitch(event.currentTarget.checked)}
        />
        {children}
      </Stack>
    </Fieldset>
  );
}

interface CountProps {
  path: string;
  label: string;
  help?: string;
  value: unknown;
  /** What counts while nothing is written. */
  usual?: number | undefined;
  most?: number;
  onChange: (to: number | undefined) => void;
}

function Count({ path, label, help, value, usual, most, onChange }: CountProps) {
  const { locale } = usePlanTexts();
  return (
    <NumberInput
      label={label}
      description={help}
      value={typeof value === 'number' ? value : ''}
      onChange={(to) => onChange(typeof to === 'number' ? to : undefined)}
      error={useProblem(path)}
      placeholder={usual === undefined ? '' : String(usual)}
      required={usual === undefined}
      min={1}
      max={most}
      allowDecimal={false}
      thousandSeparator={locale === 'de' ? '.' : ','}
      decimalSeparator={locale === 'de' ? ',' : '.'}
      flex="1 1 110px"
      maw={220}
    />
  );
}

interface ChoiceProps<T extends string> {
  options: { value: T; label: string }[];
  value: T | undefined;
  onChange: (to: T) => void;
}

function Choice<T extends string>({ options, value, onChange }: ChoiceProps<T>) {
  const { p } = usePlanTexts();
  return (
    <Select
      label={p('unit')}
      data={options}
      value={value ?? null}
      onChange={(to) => to !== null && onChange(to as T)}
      allowDeselect={false}
      flex="1 1 130px"
      maw={220}
    />
  );
}
