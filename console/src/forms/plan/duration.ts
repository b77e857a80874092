/** Lengths of time as documents write them: a number with a unit. */

export const UNITS = ['ms', 's', 'm', 'h', 'd', 'w'] as const;
export type Unit = (typeof UNITS)[number];

export interface Length {
  amount: number;
  unit: Unit;
}

/** Nothing when it is written in another way, or not there. */
export function readLength(written: unknown): Length | undefined {
  const found = typeof written === 'string' ? /^(\d+)(ms|s|m|h|d|w)$/.exec(written) : null;
  return found === null ? undefined : { amount: Number(found[1]), unit: found[2] as Unit };
}

export function writeLength({ amount, unit }: Length): string {
  return `${amount}${unit}`;
}
