/** A chart over time. What draws it is fetched when there is one. */
import { Skeleton } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { Step } from './report';

export interface Series {
  name: string;
  tone: 'primary' | 'good' | 'warn' | 'bad' | 'quiet';
  values: (number | null)[];
}

export interface ChartProps {
  label: string;
  kind: 'bar' | 'line';
  times: number[];
  step: Step;
  series: Series[];
  unit?: string;
  height?: number;
  /** Told how the picture is had as a data URL, to save it. */
  onReady?: (picture: () => string) => void;
}

const LazyChart = lazy(() => import('./TimeChart'));

export function Chart(props: ChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 260} />}>
      <LazyChart {...props} />
    </Suspense>
  );
}
