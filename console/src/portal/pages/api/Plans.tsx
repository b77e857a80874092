/** Plans that an API offers, and one's subscriptions to it. */
import { Anchor, Badge, Button, Stack, Text, Title } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type ApiDetail, applicationsQuery, type Plan } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { apiPath, applicationPath, Link } from '../../links';
import { takesSubscriptions } from '../../parts/Life';
import { limitsOf } from '../../parts/limits';
import { SubscriptionState } from '../../parts/SubscriptionState';
import { useUser } from '../../visitor';
import classes from './Plans.module.css';
import { Subscribe } from './Subscribe';

export function Plans({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const user = useUser();
  const [wanted, setWanted] = useState<Plan | null>(null);
  const applications = useQuery({ ...applicationsQuery, enabled: user !== undefined });
  const own = (applications.data ?? []).flatMap(({ subscriptions }) =>
    subscriptions.filter((subscription) => subscription.api === api.title),
  );
  return (
    <Stack gap="xl">
      {own.length > 0 && (
        <section>
          <Title order={2} mb="sm">
            {p('plans.own')}
          </Title>
          <Stack gap={6}>
            {own.map((subscription) => (
              <Text key={subscription.name} component="div">
                <Anchor
                  renderRoot={(props) => <Link to={applicationPath(subscription.application)} {...props} />}
                >
                  {subscription.application}
                </Anchor>{' '}
                · {subscription.planTitle} <SubscriptionState subscription={subscription} />
              </Text>
            ))}
          </Stack>
        </section>
      )}
      <ul className={classes.grid}>
        {api.plans.map((plan) => (
          <li key={plan.name}>
            <PlanCard api={api} plan={plan} onWanted={() => setWanted(plan)} />
          </li>
        ))}
      </ul>
      {wanted !== null && <Subscribe api={api} plan={wanted} onClose={() => setWanted(null)} />}
    </Stack>
  );
}

function PlanCard({ api, plan, onWanted }: { api: ApiDetail; plan: Plan; onWanted: () => void }) {
  const texts = usePortalTexts();
  const { p } = texts;
  const user = useUser();
  const label = p('plans.choose', { plan: plan.title });
  return (
    <div className={classes.plan}>
      <div>
        <Title order={2} fz="1.3rem">
          {plan.title}
        </Title>
        {plan.description != null && (
          <Text c="dimmed" mt={4}>
            {plan.description}
          </Text>
        )}
      </div>
      <ul className={classes.limits}>
        {limitsOf(plan, texts).map((limit) => (
          <li key={limit}>
            <IconCheck size={17} aria-hidden /> {limit}
          </li>
        ))}
      </ul>
      {plan.approval && (
        <Badge variant="light" color="yellow" tt="none">
          {p('plans.approval')}
        </Badge>
      )}
      {user === undefined ? (
        <Button
          renderRoot={(props) => (
            <Link to="/login" search={{ to: `${apiPath(api.name)}?tab=plans` }} {...props} />
          )}
        >
          {p('plans.signIn')}
        </Button>
      ) : (
        <Button onClick={onWanted} aria-label={label} disabled={!takesSubscriptions(api)}>
          {p(plan.approval ? 'plans.ask' : 'plans.subscribe')}
        </Button>
      )}
    </div>
  );
}
