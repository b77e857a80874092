/** An empty place that says what belongs there and how to fill it. */
import { Group, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { IconProps } from '@tabler/icons-react';
import type { ComponentType, ReactNode } from 'react';

interface Props {
  icon: ComponentType<IconProps>;
  title: string;
  text: string;
  children?: ReactNode;
}

export function Empty({ icon: Icon, title, text, children }: Props) {
  return (
    <Stack align="center" py={56} px="md" gap="xs">
      <ThemeIcon size={56} radius="xl" variant="light" mb="xs">
        <Icon size={28} stroke={1.6} />
      </ThemeIcon>
      <Title order={2} ta="center">
        {title}
      </Title>
      <Text c="dimmed" ta="center" maw={460}>
        {text}
      </Text>
      {children !== undefined && <Group mt="md">{children}</Group>}
    </Stack>
  );
}
