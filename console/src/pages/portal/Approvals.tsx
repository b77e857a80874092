/** People and subscriptions that wait for somebody to decide. */
import { Box, Button, Group, Skeleton, Text, Textarea, Title } from '@mantine/core';
import { IconInbox } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { approvalsQuery, type Decision, decideSignUp, decideSubscription } from '../../api/portalAdmin';
import { Dialog, DialogEnd } from '../../parts/Dialog';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import rows from '../../parts/rows.module.css';
import { useToast } from '../../parts/Toasts';
import { usePortalAdminTexts } from './texts';

export function ApprovalsTab() {
  const { p, ago } = usePortalAdminTexts();
  const approvals = useQuery(approvalsQuery);
  if (approvals.isPending) return <Skeleton height={200} />;
  if (approvals.isError) return <ProblemBox error={approvals.error} retry={() => approvals.refetch()} />;
  const { signUps, subscriptions } = approvals.data;
  if (signUps.length + subscriptions.length === 0) {
    return (
      <Box className="gw-panel">
        <Empty icon={IconInbox} title={p('approvals.none.title')} text={p('approvals.none.text')} />
      </Box>
    );
  }
  return (
    <>
      {signUps.length > 0 && (
        <Section title={p('approvals.signUps')}>
          {signUps.map(({ user, firstName, lastName, email, message, at }) => (
            <Waiting key={user} name={user} decide={(decision) => decideSignUp(user, decision)}>
              <Group gap="xs">
                <Text fw={620}>{user}</Text>
                <Text size="sm" c="dimmed">
                  {[firstName, lastName, email].filter(Boolean).join(' · ')} {ago(at)}
                </Text>
              </Group>
              {message != null && <Text size="sm">{message}</Text>}
            </Waiting>
          ))}
        </Section>
      )}
      {subscriptions.length > 0 && (
        <Section title={p('approvals.subscriptions')}>
          {subscriptions.map((subscription) => {
            const { name, application, api, plan, planTitle, wantedPlan, message, createdAt } = subscription;
            return (
              <Waiting
                key={name}
                name={application}
                mayDecide={subscription.mayDecide}
                decide={(decision) => decideSubscription(name, decision)}
              >
                <Text>
                  <Text span fw={620}>
                    {application}
                  </Text>{' '}
                  {wantedPlan == null
                    ? p('approvals.wants', { api, plan: planTitle })
                    : `${api}: ${p('approvals.moves', { from: plan, to: wantedPlan })}`}{' '}
                  <Text span size="sm" c="dimmed">
                    {ago(createdAt)}
                  </Text>
                </Text>
                {message != null && <Text size="sm">{message}</Text>}
              </Waiting>
            );
          })}
        </Section>
      )}
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <Title order={2} mb="sm">
        {title}
      </Title>
      <ul className={`gw-panel ${rows.list}`}>{children}</ul>
    </section>
  );
}

interface WaitingProps {
  name: string;
  /** Whoever may not sees that it waits. */
  mayDecide?: boolean;
  decide: (decision: Decision) => Promise<void>;
  children: ReactNode;
}

function Waiting({ name, mayDecide = true, decide, children }: WaitingProps) {
  const { p } = usePortalAdminTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [rejecting, setRejecting] = useState(false);
  const [message, setMessage] = useState('');
  const send = useMutation({
    mutationFn: decide,
    onSuccess: async (_, { approve }) => {
      toast(p(approve ? 'approvals.done' : 'approvals.rejected', { name }));
      setRejecting(false);
      await queries.invalidateQueries({ queryKey: approvalsQuery.queryKey });
      await queries.invalidateQueries({ queryKey: ['assets'] });
    },
  });
  const said = message.trim();
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        {children}
        {send.isError && !rejecting && <ProblemBox error={send.error} />}
      </Box>
      {mayDecide && (
        <Group gap="xs">
          <Button
            size="xs"
            onClick={() => send.mutate({ approve: true })}
            loading={send.isPending && !rejecting}
            aria-label={p('approvals.approveOne', { name })}
          >
            {p('approvals.approve')}
          </Button>
          <Button
            size="xs"
            variant="default"
            onClick={() => setRejecting(true)}
            aria-label={p('approvals.rejectOne', { name })}
          >
            {p('approvals.reject')}
          </Button>
        </Group>
      )}
      {rejecting && (
        <Dialog title={p('approvals.rejectOne', { name })} onClose={() => setRejecting(false)}>
          <Textarea
            label={p('approvals.message')}
            description={p('approvals.messageHelp')}
            value={message}
            onChange={(event) => setMessage(event.currentTarget.value)}
            maxLength={900}
            data-autofocus
          />
          <DialogEnd
            action={p('approvals.reject')}
            color="red"
            running={send}
            onAct={() => send.mutate(said === '' ? { approve: false } : { approve: false, message: said })}
            onClose={() => setRejecting(false)}
          />
        </Dialog>
      )}
    </li>
  );
}
