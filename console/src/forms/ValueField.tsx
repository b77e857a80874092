/** A field for one value, by its shape. */
import { Autocomplete, NumberInput, Select, Switch, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { namesQuery } from '../api/assets';
import { useTexts } from '../i18n';
import { texts } from '../pages/apis/spec';
import { Words } from './Description';
import { useForm, useProblem } from './FormContext';
import { ListField } from './ListField';
import { MapField } from './MapField';
import { choicesOf, type Field, field, shapeOf } from './schema';
import { YamlField } from './YamlField';

export interface ValueProps {
  of: Field;
  label: string;
  required: boolean;
  value: unknown;
  path: string;
  onChange: (value: unknown) => void;
  fallback?: unknown;
}

export function ValueField(props: ValueProps) {
  const { of, label, required, value, path, onChange, fallback } = props;
  const { t } = useTexts();
  const { readOnly } = useForm();
  const error = useProblem(path);
  const names = useSuggestions(path);
  const about = {
    label,
    description: of.description === undefined ? undefined : <Words text={of.description} />,
    error,
    disabled: readOnly,
    required,
  };
  const hint = typeof fallback === 'string' || typeof fallback === 'number' ? String(fallback) : undefined;
  switch (shapeOf(of)) {
    case 'text': {
      const text = typeof value === 'string' ? value : '';
      const set = (to: string) => onChange(to === '' && !required ? undefined : to);
      if (names !== undefined)
        return <Autocomplete {...about} data={names} value={text} onChange={set} placeholder={hint ?? ''} />;
      // What is kept encrypted may be a key or a certificate, whose lines a field of one line would lose.
      if (of.schema.writeOnly === true)
        return (
          <Textarea
            {...about}
            value={text}
            onChange={(event) => set(event.currentTarget.value)}
            autosize
            minRows={1}
            maxRows={12}
            classNames={{ input: 'gw-mono' }}
            autoComplete="off"
            spellCheck={false}
          />
        );
      return (
        <TextInput
          {...about}
          value={text}
          onChange={(event) => set(event.currentTarget.value)}
          placeholder={hint}
          spellCheck={false}
        />
      );
    }
    case 'choice': {
      const data = (choicesOf(of) ?? []).map((choice) => choice.value);
      return (
        <Select
          {...about}
          data={data}
          value={typeof value === 'string' ? value : null}
          onChange={(to) => onChange(to ?? undefined)}
          clearable={!required}
          clearButtonProps={{ 'aria-label': t('clear') }}
          placeholder={hint ?? ''}
        />
      );
    }
    case 'boolean':
      return (
        <Switch
          {...about}
          checked={typeof value === 'boolean' ? value : fallback === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...about}
          value={typeof value === 'number' ? value : ''}
          onChange={(to) => onChange(typeof to === 'number' ? to : undefined)}
          placeholder={hint ?? ''}
          allowDecimal={of.schema.type === 'number'}
        />
      );
    case 'texts': {
      const choices = choicesOf(field(of.schema.items, of.definitions))?.map((choice) => choice.value);
      return (
        <TagsInput
          {...about}
          data={names ?? choices ?? []}
          value={texts(value)}
          onChange={(to) => onChange(to.length === 0 ? undefined : to)}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          placeholder={texts(value).length === 0 ? t('form.tags') : ''}
        />
      );
    }
    case 'list':
      return <ListField {...props} />;
    case 'map':
      return <MapField {...props} />;
    default:
      return <YamlField {...props} />;
  }
}

/** Names that a field probably means. */
function useSuggestions(path: string): string[] | undefined {
  const { suggestions } = useForm();
  const list = suggestions[path.replaceAll(/\[\d+\]/g, '[]')];
  const names = useQuery({ ...namesQuery(list ?? ''), enabled: list !== undefined });
  return list === undefined ? undefined : (names.data ?? []);
}
