/** Texts by name. */
import { ActionIcon, Box, Button, Group, Input, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useTexts } from '../i18n';
import { isObject } from '../pages/apis/spec';
import { Words } from './Description';
import { useProblem } from './FormContext';
import type { ValueProps } from './ValueField';

export function MapField({ of, label, value, path, onChange }: ValueProps) {
  const { t } = useTexts();
  const error = useProblem(path);
  const entries = Object.entries(isObject(value) ? value : {});
  const [name, setName] = useState('');
  const set = (to: [string, unknown][]) => onChange(to.length === 0 ? undefined : Object.fromEntries(to));
  const add = () => {
    if (name.trim() !== '') set([...entries.filter(([key]) => key !== name.trim()), [name.trim(), '']]);
    setName('');
  };
  return (
    <Input.Wrapper
      label={label}
      labelElement="div"
      description={of.description === undefined ? undefined : <Words text={of.description} />}
      error={error}
    >
      <Stack gap="xs" mt="xs">
        {entries.map(([key, text]) => (
          <Group key={key} gap="xs" wrap="nowrap" align="flex-end">
            <TextInput
              label={key}
              value={typeof text === 'string' ? text : ''}
              onChange={(event) => {
                const to = event.currentTarget.value;
                set(entries.map(([other, before]) => [other, other === key ? to : before]));
              }}
              flex={1}
            />
            <ActionIcon
              variant="subtle"
              color="red"
              size={36}
              onClick={() => set(entries.filter(([other]) => other !== key))}
              aria-label={t('form.removeKey', { name: key })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Group gap="xs" wrap="nowrap">
          <TextInput
            aria-label={t('form.key', { name: label })}
            placeholder={t('form.keyHint')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Box>
            <Button
              variant="default"
              leftSection={<IconPlus size={14} />}
              onClick={add}
              disabled={name.trim() === ''}
            >
              {t('form.addKey')}
            </Button>
          </Box>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
