/** Sums of requests, arranged for charts and tables. */
import type { components } from '../../api/schema';

export type Bucket = components['schemas']['AnalyticsItem'];
export type Report = components['schemas']['AnalyticsReport'];
export type Step = 'minute' | 'hour' | 'day';

const LENGTH: Record<Step, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Beginnings of all buckets of a report, also of those in which nothing came. */
export function spread({ from, to }: Pick<Report, 'from' | 'to'>, step: Step): number[] {
  const length = LENGTH[step];
  const times: number[] = [];
  for (let at = Math.floor(from / length) * length; at < to; at += length) times.push(at);
  return times;
}

export type Sum = Pick<
  Bucket,
  | 'requests'
  | 'clientErrors'
  | 'serverErrors'
  | 'refused'
  | 'cacheHits'
  | 'requestBytes'
  | 'responseBytes'
  | 'averageMs'
>;

/** Several buckets as one. Percentiles cannot be added up, and are not there. */
export function addedUp(items: Bucket[]): Sum {
  const sum = (value: (item: Bucket) => number) => items.reduce((all, item) => all + value(item), 0);
  const requests = sum((item) => item.requests);
  return {
    requests,
    clientErrors: sum((item) => item.clientErrors),
    serverErrors: sum((item) => item.serverErrors),
    refused: sum((item) => item.refused),
    cacheHits: sum((item) => item.cacheHits),
    requestBytes: sum((item) => item.requestBytes),
    responseBytes: sum((item) => item.responseBytes),
    averageMs: sum((item) => item.averageMs * item.requests) / Math.max(requests, 1),
  };
}

/** One value for each time; several buckets of one time are added up. */
export function seriesOf(
  items: Bucket[],
  times: number[],
  step: Step,
  value: (item: Bucket) => number,
): number[] {
  const at = new Map<number, number>();
  for (const item of items) {
    const begins = Math.floor(item.at / LENGTH[step]) * LENGTH[step];
    at.set(begins, (at.get(begins) ?? 0) + value(item));
  }
  return times.map((time) => at.get(time) ?? 0);
}

/** Reasons of refusals, the most frequent first. */
export function reasonsOf(items: Bucket[]): [string, number][] {
  const reasons = new Map<string, number>();
  for (const item of items) {
    for (const [code, count] of Object.entries(item.reasons))
      reasons.set(code, (reasons.get(code) ?? 0) + count);
  }
  return [...reasons].sort(([, a], [, b]) => b - a);
}
