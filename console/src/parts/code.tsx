/** The editors, fetched when a page shows one. */
import { Skeleton } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useTexts } from '../i18n';
import type { CodeEditorProps } from './CodeEditor';

const LazyEditor = lazy(() => import('./CodeEditor'));
const LazyDiff = lazy(() => import('./DiffEditor'));

export function Code(props: CodeEditorProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? '60vh'} />}>
      <LazyEditor {...props} />
    </Suspense>
  );
}

export function Diff({ before, after }: { before: string; after: string }) {
  const { t } = useTexts();
  return (
    <Suspense fallback={<Skeleton height={160} />}>
      <LazyDiff before={before} after={after} label={t('diff')} />
    </Suspense>
  );
}
