/** What an application may call, by which plan; changed and given up by its owner. */
import { Anchor, Box, Button, Group, Select, Skeleton, Text, Textarea, Title } from '@mantine/core';
import { IconTicket } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Confirm, Dialog, DialogEnd } from '../../../parts/Dialog';
import { useToast } from '../../../parts/Toasts';
import {
  type Application,
  apiQuery,
  catalogQuery,
  changePlan,
  type Subscription,
  unsubscribe,
} from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { apiPath, Link } from '../../links';
import { limitsOf } from '../../parts/limits';
import { SubscriptionState } from '../../parts/SubscriptionState';
import rows from './rows.module.css';

export function Subscriptions({ application }: { application: Application }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [changing, setChanging] = useState<Subscription | null>(null);
  const [ending, setEnding] = useState<Subscription | null>(null);
  const { subscriptions } = application;
  return (
    <section>
      <Group justify="space-between" mb="md">
        <div>
          <Title order={2}>{p('subscriptions.title')}</Title>
          <Text c="dimmed">{p('subscriptions.about')}</Text>
        </div>
        {subscriptions.length > 0 && (
          <Button variant="default" renderRoot={(props) => <Link to="/apis" {...props} />}>
            {p('subscriptions.more')}
          </Button>
        )}
      </Group>
      {subscriptions.length === 0 && (
        <Box className={rows.list ?? ''} p="xl">
          <Group>
            <IconTicket size={26} stroke={1.6} aria-hidden />
            <Box className={rows.grow ?? ''}>
              <Text fw={620}>{p('subscriptions.none.title')}</Text>
              <Text c="dimmed">{p('subscriptions.none.text')}</Text>
            </Box>
            <Button renderRoot={(props) => <Link to="/apis" {...props} />}>{p('home.browse')}</Button>
          </Group>
        </Box>
      )}
      {subscriptions.length > 0 && (
        <ul className={rows.list}>
          {subscriptions.map((subscription) => (
            <Row
              key={subscription.name}
              subscription={subscription}
              onChange={() => setChanging(subscription)}
              onEnd={() => setEnding(subscription)}
            />
          ))}
        </ul>
      )}
      {changing !== null && <ChangePlan subscription={changing} onClose={() => setChanging(null)} />}
      {ending !== null && (
        <Confirm
          title={p('subscriptions.endOne', { api: ending.api })}
          action={p('subscriptions.end')}
          does={() => unsubscribe(ending.name)}
          onDone={() => {
            toast(p('subscriptions.ended'));
            return queries.invalidateQueries({ queryKey: ['portal', 'applications'] });
          }}
          onClose={() => setEnding(null)}
        >
          <Text>{p('subscriptions.endText', { api: ending.api })}</Text>
        </Confirm>
      )}
    </section>
  );
}

/** A version of the API that a subscription is for: it stands for all of them. */
function useVersion(api: string): string | undefined {
  const found = useQuery(catalogQuery({ q: api }, 100));
  return found.data?.items.find(({ title }) => title === api)?.name;
}

interface RowProps {
  subscription: Subscription;
  onChange: () => void;
  onEnd: () => void;
}

function Row({ subscription, onChange, onEnd }: RowProps) {
  const { p, ago } = usePortalTexts();
  const { api, planTitle, state, wantedPlan, message, createdAt } = subscription;
  const version = useVersion(api);
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          {version === undefined ? (
            <Text fw={620}>{api}</Text>
          ) : (
            <Anchor fw={620} renderRoot={(props) => <Link to={apiPath(version)} {...props} />}>
              {api}
            </Anchor>
          )}
          <SubscriptionState subscription={subscription} />
        </Group>
        <Text size="sm" c="dimmed">
          {planTitle} · {p('subscriptions.since', { when: ago(createdAt) })}
        </Text>
        {wantedPlan != null && <Text size="sm">{p('subscriptions.moves', { plan: wantedPlan })}</Text>}
        {state === 'pending' && <Text size="sm">{p('subscriptions.pending')}</Text>}
        {message != null && <Text size="sm">“{message}”</Text>}
      </Box>
      {state !== 'blocked' && (
        <Group gap="xs">
          {version !== undefined && (
            <Button
              size="xs"
              variant="default"
              onClick={onChange}
              aria-label={p('subscriptions.changeOne', { api })}
            >
              {p('subscriptions.change')}
            </Button>
          )}
          <Button
            size="xs"
            variant="subtle"
            color="red"
            onClick={onEnd}
            aria-label={p('subscriptions.endOne', { api })}
          >
            {p('subscriptions.end')}
          </Button>
        </Group>
      )}
    </li>
  );
}

function ChangePlan({ subscription, onClose }: { subscription: Subscription; onClose: () => void }) {
  const texts = usePortalTexts();
  const { p } = texts;
  const queries = useQueryClient();
  const toast = useToast();
  const version = useVersion(subscription.api);
  const api = useQuery({ ...apiQuery(version ?? ''), enabled: version !== undefined });
  const [chosen, choose] = useState(subscription.plan);
  const [message, setMessage] = useState('');
  const plans = api.data?.plans ?? [];
  const plan = plans.find(({ name }) => name === chosen);
  const change = useMutation({
    mutationFn: () =>
      changePlan(subscription.name, chosen, message.trim() === '' ? undefined : message.trim()),
    onSuccess: async (changed) => {
      const waits = changed.wantedPlan != null || changed.state === 'pending';
      toast(p(waits ? 'subscriptions.changeWaits' : 'subscriptions.changed'));
      onClose();
      await queries.invalidateQueries({ queryKey: ['portal', 'applications'] });
    },
  });
  return (
    <Dialog onClose={onClose} title={p('subscriptions.changeOne', { api: subscription.api })}>
      {api.isPending ? (
        <Skeleton height={120} />
      ) : (
        <>
          <Select
            label={p('subscriptions.plan')}
            value={chosen}
            onChange={(value) => value !== null && choose(value)}
            allowDeselect={false}
            data={plans.map(({ name, title }) => ({ value: name, label: title }))}
          />
          {plan !== undefined && (
            <Text size="sm" c="dimmed">
              {limitsOf(plan, texts).join(' · ')}
            </Text>
          )}
          {plan?.approval === true && chosen !== subscription.plan && (
            <>
              <Text size="sm">{p('subscriptions.changeApproval')}</Text>
              <Textarea
                label={p('subscribe.message')}
                value={message}
                onChange={(event) => setMessage(event.currentTarget.value)}
                maxLength={900}
              />
            </>
          )}
          <DialogEnd
            action={p('subscriptions.change')}
            running={change}
            onAct={() => change.mutate()}
            onClose={onClose}
            disabled={chosen === subscription.plan}
          />
        </>
      )}
    </Dialog>
  );
}
