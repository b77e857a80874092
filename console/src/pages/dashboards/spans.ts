/** The times that dashboards look back on. */
import type { Step } from '../../parts/chart/report';

export const SPANS = [1, 6, 24, 168, 720] as const;
export const USUAL = 24;

type Span = (typeof SPANS)[number];

/** The hours that an address says, where they can be chosen. */
export function spanOf(hours: number | undefined): Span {
  return SPANS.find((span) => span === hours) ?? USUAL;
}

/** As fine as the chart can show it. */
export function stepOf(hours: Span): Step {
  if (hours <= 6) return 'minute';
  return hours <= 24 ? 'hour' : 'day';
}
