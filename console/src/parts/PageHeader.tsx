/** The head of a page: where one is, what it is, what can be done. */
import { Anchor, Box, Group, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

interface Props {
  title: string;
  /** What is beside the title, such as a state. */
  badge?: ReactNode;
  about?: ReactNode;
  back?: { to: string; label: string };
  children?: ReactNode;
}

export function PageHeader({ title, badge, about, back, children }: Props) {
  useDocumentTitle(`${title} · Gatewright`);
  return (
    <Box mb="lg" component="header">
      {back !== undefined && (
        <Anchor renderRoot={(props) => <Link to={back.to} {...props} />} size="sm">
          ← {back.label}
        </Anchor>
      )}
      <Group justify="space-between" align="flex-start" gap="md">
        <Box miw={0} flex="1 1 280px">
          <Group gap="sm">
            <Title order={1}>{title}</Title>
            {badge}
          </Group>
          {about !== undefined && (
            <Text c="dimmed" mt={4} maw={720}>
              {about}
            </Text>
          )}
        </Box>
        <Group gap="xs">{children}</Group>
      </Group>
    </Box>
  );
}
