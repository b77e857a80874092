/** Tokens of the internal authorization server: whose they are, until when, and ending them. */
import { Autocomplete, Box, Button, Group, Skeleton, Switch, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconKey, IconKeyOff } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Navigate } from '@tanstack/react-router';
import { useState } from 'react';
import { namesQuery } from '../../api/assets';
import { cleanUpOauthTokens, oauthTokensKey, oauthTokensQuery } from '../../api/oauthTokens';
import { asProblem } from '../../api/problem';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import rows from '../../parts/rows.module.css';
import { useToast } from '../../parts/Toasts';
import { InitialTokens } from './InitialTokens';
import { useMaySeeTokens } from './rights';
import { TokenRow } from './TokenRow';
import { useTokenTexts } from './texts';

const route = getRouteApi('/oauth-tokens');

export function OauthTokensPage() {
  const { t } = useTexts();
  const { p } = useTokenTexts();
  const may = useMaySeeTokens();
  const { ended = false, ...of } = route.useSearch();
  const navigate = route.useNavigate();
  const tokens = useInfiniteQuery({ ...oauthTokensQuery({ ...of, live: !ended }), enabled: may });
  const names = useQuery({ ...namesQuery('applications'), enabled: may });
  const change = (to: Partial<typeof of> & { ended?: boolean | undefined }) =>
    navigate({ search: (before) => ({ ...before, ...to }), replace: true, resetScroll: false });
  const found = tokens.data?.pages.flatMap(({ items }) => items) ?? [];
  const isFiltered = Object.values(of).some((value) => value !== undefined);
  if (!may) return <Navigate to="/apis" />;
  if (tokens.isError && asProblem(tokens.error).code === 'no_authorization_server') {
    return (
      <>
        <PageHeader title={t('nav.oauthTokens')} about={p('about')} />
        <Box className="gw-panel">
          <Empty icon={IconKeyOff} title={p('server.none.title')} text={p('server.none.text')} />
        </Box>
      </>
    );
  }
  return (
    <>
      <PageHeader title={t('nav.oauthTokens')} about={p('about')}>
        <CleanUp />
      </PageHeader>
      <Group mb="md" gap="sm" align="flex-end">
        <Narrow
          label={p('application')}
          value={of.application}
          names={names.data ?? []}
          onChange={(application) => change({ application })}
        />
        <Narrow label={p('client')} value={of.client} onChange={(client) => change({ client })} />
        <Narrow label={p('user')} value={of.user} onChange={(user) => change({ user })} />
        <Switch
          label={p('ended')}
          checked={ended}
          onChange={(event) => change({ ended: event.currentTarget.checked || undefined })}
          my={8}
        />
      </Group>
      {tokens.isPending && <Skeleton height={320} />}
      {tokens.isError && <ProblemBox error={tokens.error} retry={() => tokens.refetch()} />}
      {tokens.isSuccess && found.length === 0 && (
        <Box className="gw-panel">
          <Empty
            icon={IconKey}
            title={p(isFiltered ? 'none.filtered' : 'none.title')}
            text={p(isFiltered ? 'none.filteredText' : 'none.text')}
          />
        </Box>
      )}
      {found.length > 0 && (
        <ul className={`gw-panel ${rows.list}`}>
          {found.map((token) => (
            <TokenRow key={token.id} token={token} />
          ))}
        </ul>
      )}
      {tokens.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            onClick={() => tokens.fetchNextPage()}
            loading={tokens.isFetchingNextPage}
          >
            {p('more')}
          </Button>
        </Group>
      )}
      <InitialTokens />
    </>
  );
}

interface NarrowProps {
  label: string;
  value: string | undefined;
  names?: string[];
  onChange: (value: string | undefined) => void;
}

/** A name that tokens have to have. */
function Narrow({ label, value, names, onChange }: NarrowProps) {
  const [text, setText] = useState(value ?? '');
  const settle = useDebouncedCallback((to: string) => onChange(to.trim() || undefined), 400);
  const write = (to: string) => {
    setText(to);
    settle(to);
  };
  return names === undefined ? (
    <TextInput
      label={label}
      value={text}
      onChange={(event) => write(event.currentTarget.value)}
      flex="1 1 140px"
      maw={240}
    />
  ) : (
    <Autocomplete
      label={label}
      value={text}
      onChange={write}
      data={names}
      limit={50}
      flex="1 1 140px"
      maw={240}
    />
  );
}

function CleanUp() {
  const { p, many } = useTokenTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const clean = useMutation({
    mutationFn: cleanUpOauthTokens,
    onSuccess: async (deleted) => {
      toast(many('cleanUp.done', deleted));
      await queries.invalidateQueries(oauthTokensKey);
    },
  });
  return (
    <>
      <Button variant="default" onClick={() => clean.mutate()} loading={clean.isPending}>
        {p('cleanUp')}
      </Button>
      {clean.isError && <ProblemBox error={clean.error} />}
    </>
  );
}
