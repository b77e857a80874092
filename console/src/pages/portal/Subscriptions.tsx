/** All subscriptions, and keeping somebody out. */
import { Anchor, Box, Button, Group, Skeleton, Text } from '@mantine/core';
import { IconTicket } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Asset, listQuery, type Spec } from '../../api/assets';
import { Empty } from '../../parts/Empty';
import { useMayChange } from '../../parts/kinds';
import { ProblemBox } from '../../parts/ProblemBox';
import { ReviewChange } from '../../parts/ReviewChange';
import rows from '../../parts/rows.module.css';
import { text } from '../apis/spec';
import { SubscriptionState, subscriptionState } from './SubscriptionState';
import { usePortalAdminTexts } from './texts';

export function SubscriptionsTab() {
  const { p } = usePortalAdminTexts();
  const [change, setChange] = useState<{ base: Asset; spec: Spec } | null>(null);
  const query = useInfiniteQuery(listQuery('subscriptions', { q: '', sort: '-changedAt' }));
  if (query.isPending) return <Skeleton height={240} />;
  if (query.isError) return <ProblemBox error={query.error} retry={() => query.refetch()} />;
  const found = query.data.pages.flatMap(({ items }) => items);
  if (found.length === 0) {
    return (
      <Box className="gw-panel">
        <Empty icon={IconTicket} title={p('subscriptions.none.title')} text={p('subscriptions.none.text')} />
      </Box>
    );
  }
  return (
    <>
      <ul className={`gw-panel ${rows.list}`}>
        {found.map((asset) => (
          <Row key={asset.id} asset={asset} onChange={(spec) => setChange({ base: asset, spec })} />
        ))}
      </ul>
      {query.hasNextPage && (
        <Button variant="default" onClick={() => query.fetchNextPage()} loading={query.isFetchingNextPage}>
          {p('subscriptions.more')}
        </Button>
      )}
      {change !== null && (
        <ReviewChange
          list="subscriptions"
          base={change.base}
          spec={change.spec}
          onClose={() => setChange(null)}
          onSaved={() => setChange(null)}
          onTakeTheirs={() => {
            setChange(null);
            void query.refetch();
          }}
        />
      )}
    </>
  );
}

function Row({ asset, onChange }: { asset: Asset; onChange: (spec: Spec) => void }) {
  const { p, ago } = usePortalAdminTexts();
  const may = useMayChange('subscriptions');
  const { spec } = asset;
  const name = text(spec.application) ?? asset.name;
  const state = subscriptionState(spec.state);
  const { state: _, ...rest } = spec;
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          <Anchor
            fw={620}
            renderRoot={(props) => (
              <Link
                to="/assets/$list/of/$name"
                params={{ list: 'subscriptions', name: asset.name }}
                {...props}
              />
            )}
          >
            {name} · {text(spec.api)}
          </Anchor>
          <SubscriptionState state={state} />
        </Group>
        <Text size="sm" c="dimmed">
          {text(spec.plan)} · {ago(asset.changedAt)}
        </Text>
      </Box>
      {may && state === 'active' && (
        <Button
          size="xs"
          variant="default"
          onClick={() => onChange({ ...spec, state: 'blocked' })}
          aria-label={p('subscriptions.blockOne', { name })}
        >
          {p('subscriptions.block')}
        </Button>
      )}
      {may && state === 'blocked' && (
        <Button
          size="xs"
          variant="default"
          onClick={() => onChange(rest)}
          aria-label={p('subscriptions.unblockOne', { name })}
        >
          {p('subscriptions.unblock')}
        </Button>
      )}
    </li>
  );
}
