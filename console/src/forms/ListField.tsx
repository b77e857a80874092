/** A list of objects: each is a card that can be moved, opened and taken away. */
import { ActionIcon, Box, Button, Group, Input, Stack, Text } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import type { Spec } from '../api/assets';
import { useTexts } from '../i18n';
import { isObject } from '../pages/apis/spec';
import { Words } from './Description';
import { useProblem } from './FormContext';
import { SchemaForm } from './SchemaForm';
import { beginning, field } from './schema';
import type { ValueProps } from './ValueField';

export function ListField({ of, label, required, value, path, onChange }: ValueProps) {
  const { t } = useTexts();
  const error = useProblem(path);
  const items: unknown[] = Array.isArray(value) ? value : [];
  const inner = field(of.schema.items, of.definitions);
  const set = (to: unknown[]) => onChange(to.length === 0 && !required ? undefined : to);
  const swap = (a: number, b: number) =>
    set(items.map((item, index) => (index === a ? items[b] : index === b ? items[a] : item)));
  return (
    <Input.Wrapper
      label={label}
      labelElement="div"
      description={of.description === undefined ? undefined : <Words text={of.description} />}
      error={error}
      required={required}
    >
      <Stack gap="sm" mt="xs">
        {items.map((item, index) => (
          <Box key={index} className="gw-panel" p="md">
            <Group justify="space-between" mb="xs" wrap="nowrap">
              <Text fw={600} size="sm" truncate>
                {titleOf(item, index)}
              </Text>
              <Group gap={4} wrap="nowrap">
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  disabled={index === 0}
                  onClick={() => swap(index, index - 1)}
                  aria-label={t('form.up', { number: index + 1 })}
                >
                  <IconArrowUp size={16} />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  disabled={index === items.length - 1}
                  onClick={() => swap(index, index + 1)}
                  aria-label={t('form.down', { number: index + 1 })}
                >
                  <IconArrowDown size={16} />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="red"
                  onClick={() => set(items.filter((_, at) => at !== index))}
                  aria-label={t('form.remove', { number: index + 1 })}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            </Group>
            <SchemaForm
              of={inner}
              value={isObject(item) ? item : {}}
              path={`${path}[${index}]`}
              onChange={(to) => set(items.map((before, at) => (at === index ? to : before)))}
            />
          </Box>
        ))}
        <Box>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() => set([...items, beginning(inner) ?? {}])}
          >
            {t('form.add', { name: label })}
          </Button>
        </Box>
      </Stack>
    </Input.Wrapper>
  );
}

/** What an item is best known by. */
function titleOf(item: unknown, index: number): string {
  const spec: Spec = isObject(item) ? item : {};
  const named = [spec.name, spec.type, spec.url, spec.path].find(
    (value) => typeof value === 'string' && value !== '',
  );
  return `${index + 1}. ${typeof named === 'string' ? named : ''}`;
}
