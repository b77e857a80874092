/** What can be done with the assets that are chosen in a list. */
import { Button, Group, Menu, Text } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconTag, IconTrash } from '@tabler/icons-react';
import { useTexts } from '../i18n';
import type { Action } from './bulk';

interface Props {
  list: string;
  count: number;
  onBegin: (action: Action) => void;
  onClear: () => void;
}

export function BulkBar({ list, count: chosen, onBegin, onClear }: Props) {
  const { t, count } = useTexts();
  const begin = (to: Action) => () => onBegin(to);
  return (
    <Group gap="xs" role="toolbar" aria-label={t('bulk.actions')}>
      <Text size="sm" fw={600} role="status">
        {count('bulk.chosen', chosen)}
      </Text>
      {list === 'apis' && (
        <>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlayerPlay size={14} />}
            onClick={begin('activate')}
          >
            {t('api.activate')}
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlayerPause size={14} />}
            onClick={begin('deactivate')}
          >
            {t('api.deactivate')}
          </Button>
          <Menu>
            <Menu.Target>
              <Button size="xs" variant="default" leftSection={<IconTag size={14} />}>
                {t('bulk.tag')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={begin('addTag')}>{t('bulk.addTag')}</Menu.Item>
              <Menu.Item onClick={begin('removeTag')}>{t('bulk.removeTag')}</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </>
      )}
      <Button
        size="xs"
        variant="subtle"
        color="red"
        leftSection={<IconTrash size={14} />}
        onClick={begin('delete')}
      >
        {t('delete')}
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={onClear}>
        {t('bulk.clear')}
      </Button>
    </Group>
  );
}
