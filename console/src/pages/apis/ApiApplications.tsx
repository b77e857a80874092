/** Who may call an API, and taking it away from them. */
import { Anchor, Box, Button, Group, Skeleton, Text } from '@mantine/core';
import { IconAddressBook } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type ApiApplication, apiApplicationsQuery, removeApiApplication } from '../../api/apis';
import { Confirm } from '../../parts/Dialog';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import rows from '../../parts/rows.module.css';
import { useToast } from '../../parts/Toasts';
import { MAY, useMay } from '../../session/session';
import { SubscriptionState } from '../portal/SubscriptionState';
import { useApiTexts } from './texts';

export function ApiApplications({ name }: { name: string }) {
  const { p } = useApiTexts();
  const may = useMay(MAY.apis);
  const queries = useQueryClient();
  const toast = useToast();
  const [removing, setRemoving] = useState<string | null>(null);
  const query = useQuery(apiApplicationsQuery(name));
  if (query.isPending) return <Skeleton height={240} />;
  if (query.isError) return <ProblemBox error={query.error} retry={() => query.refetch()} />;
  if (query.data.length === 0) {
    return (
      <Box className="gw-panel">
        <Empty
          icon={IconAddressBook}
          title={p('applications.none.title')}
          text={p('applications.none.text')}
        />
      </Box>
    );
  }
  return (
    <>
      <Text c="dimmed" mb="md">
        {p('applications.about')}
      </Text>
      <ul className={`gw-panel ${rows.list}`}>
        {query.data.map((application) => (
          <Row
            key={application.name}
            application={application}
            onRemove={may ? () => setRemoving(application.name) : undefined}
          />
        ))}
      </ul>
      {removing !== null && (
        <Confirm
          title={p('applications.removeOne', { name: removing })}
          action={p('applications.remove')}
          does={() => removeApiApplication(name, removing)}
          onDone={() => {
            toast(p('applications.removed', { name: removing }));
            return queries.invalidateQueries({ queryKey: ['assets'] });
          }}
          onClose={() => setRemoving(null)}
        >
          <Text>{p('applications.removeText', { name: removing })}</Text>
        </Confirm>
      )}
    </>
  );
}

interface RowProps {
  application: ApiApplication;
  onRemove: (() => void) | undefined;
}

function Row({ application: { name, visible, named, plan, state }, onRemove }: RowProps) {
  const { p } = useApiTexts();
  const about = [
    ...(visible ? [] : [p('applications.elsewhere')]),
    ...(named ? [p('applications.named')] : []),
    ...(plan == null ? [] : [p('applications.plan', { plan })]),
  ];
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          {visible ? (
            <Anchor
              fw={620}
              renderRoot={(props) => (
                <Link to="/assets/$list/of/$name" params={{ list: 'applications', name }} {...props} />
              )}
            >
              {name}
            </Anchor>
          ) : (
            <Text fw={620}>{name}</Text>
          )}
          {state != null && <SubscriptionState state={state} />}
        </Group>
        <Text size="sm" c="dimmed">
          {about.join(' · ')}
        </Text>
      </Box>
      {onRemove !== undefined && (
        <Button
          size="xs"
          variant="default"
          onClick={onRemove}
          aria-label={p('applications.removeOne', { name })}
        >
          {p('applications.remove')}
        </Button>
      )}
    </li>
  );
}
