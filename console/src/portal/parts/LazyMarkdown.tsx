/** Markdown, whose reader is fetched when there is some. */
import { Skeleton } from '@mantine/core';
import { lazy, Suspense } from 'react';

const Markdown = lazy(() => import('./Markdown'));

export function LazyMarkdown({ text }: { text: string }) {
  return (
    <Suspense fallback={<Skeleton height={60} />}>
      <Markdown text={text} />
    </Suspense>
  );
}
