/** Language and colours, kept in the browser. */
import { ActionIcon, Group, SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { IconMoon, IconSun } from '@tabler/icons-react';
import { LOCALES, type Locale, useTexts } from '../i18n';

export function Preferences() {
  const { t, locale, setLocale } = useTexts();
  const { colorScheme, toggleColorScheme } = useMantineColorScheme();
  return (
    <Group gap="xs" wrap="nowrap">
      <SegmentedControl
        size="xs"
        value={locale}
        onChange={(value) => setLocale(value as Locale)}
        data={Object.entries(LOCALES).map(([value, label]) => ({ value, label }))}
        aria-label={t('language')}
      />
      <ActionIcon
        variant="default"
        size={30}
        onClick={toggleColorScheme}
        aria-label={t('scheme')}
        title={t('scheme')}
      >
        {colorScheme === 'dark' ? <IconSun size={16} /> : <IconMoon size={16} />}
      </ActionIcon>
    </Group>
  );
}
