/** The width of pages, and their heads. */
import { Anchor, Box, Group, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { Link } from '../links';
import { useLook } from '../visitor';
import classes from './Page.module.css';

export function Page({ width, children }: { width?: 'narrow' | 'text'; children: ReactNode }) {
  const more = width === undefined ? '' : (classes[width] ?? '');
  return <div className={`${classes.inside} ${more}`}>{children}</div>;
}

interface HeadProps {
  title: string;
  badge?: ReactNode;
  about?: ReactNode;
  back?: { to: string; label: string };
  children?: ReactNode;
}

export function Head({ title, badge, about, back, children }: HeadProps) {
  const look = useLook();
  useDocumentTitle(`${title} · ${look.title}`);
  return (
    <header className={classes.head}>
      {back !== undefined && (
        <Anchor size="sm" renderRoot={(props) => <Link to={back.to} {...props} />}>
          ← {back.label}
        </Anchor>
      )}
      <Group justify="space-between" align="flex-start" gap="md" mt={back === undefined ? 0 : 8}>
        <Box miw={0} flex="1 1 320px">
          <Group gap="sm">
            <Title order={1}>{title}</Title>
            {badge}
          </Group>
          {about !== undefined && (
            <Text c="dimmed" mt={6} maw={720} fz="1.05rem" component="div">
              {about}
            </Text>
          )}
        </Box>
        {children !== undefined && <Group gap="xs">{children}</Group>}
      </Group>
    </header>
  );
}
