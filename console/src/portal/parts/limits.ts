/** What a plan allows, in words. */
import type { Plan } from '../api/portal';
import type { PortalTexts } from '../i18n';

type Period = NonNullable<Plan['quota']>['per'];

export function limitsOf(plan: Plan, { p, number }: PortalTexts): string[] {
  const { rate, quota } = plan;
  const found: string[] = [];
  if (quota != null) {
    const units = quota.units ?? 1;
    const period = p(`period.${quota.per satisfies Period}`);
    const per = units === 1 ? period : `${number(units)} × ${period}`;
    found.push(p('plan.quota', { count: number(quota.requests), period: per }));
    if (!plan.stopOnQuotaReach) found.push(p('plan.soft'));
  }
  if (rate != null) {
    found.push(p('plan.rate', { count: number(rate.requests), window: rate.window ?? '1s' }));
    if (rate.burst != null) found.push(p('plan.burst', { count: number(rate.burst) }));
  }
  if (found.length === 0) found.push(p('plan.unlimited'));
  return found;
}
