/**
 * The token that an API is tried with. The gateway issues one for an OAuth client of one's own, since it knows who is
 * signed in: the Content-Security-Policy of the portal lets the page talk to nobody but the portal, and a secret of a client
 * has no place in it. Tokens of others are pasted.
 */
import { Anchor, Button, Group, PasswordInput, Select, Stack, Text } from '@mantine/core';
import { IconTicket } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTexts } from '../../../i18n';
import { CommandLine } from '../../../parts/CommandLine';
import { ProblemBox } from '../../../parts/ProblemBox';
import { quoted } from '../../../parts/shell';
import {
  type ApiDetail,
  type Application,
  applicationsQuery,
  fetchToken,
  type OauthClient,
} from '../../api/portal';
import type { Tokens } from '../../definition/tokens';
import { usePortalTexts } from '../../i18n';
import { Link } from '../../links';
import { useLook } from '../../visitor';

interface Props {
  api: ApiDetail;
  tokens: Tokens;
  value: string;
  onChange: (token: string) => void;
}

export function TokenField({ api, tokens: { url, scopes }, value, onChange }: Props) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const { oauth } = useLook();
  const scope = scopes.length === 0 ? '' : ` -d ${quoted(`scope=${scopes.join(' ')}`)}`;
  return (
    <Stack gap="xs">
      <PasswordInput
        label={p('try.token')}
        description={p('try.tokenHelp')}
        placeholder="Authorization: Bearer"
        autoComplete="off"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
      />
      {oauth != null && <Fetch api={api} scopes={scopes} onToken={onChange} />}
      {url !== undefined && (
        <>
          <Text size="sm" c="dimmed">
            {p('try.tokenHow')}
          </Text>
          <CommandLine
            label={p('try.tokenHow')}
            text={`curl -u YOUR_CLIENT_ID -d grant_type=client_credentials${scope} ${quoted(url)}`}
          />
        </>
      )}
    </Stack>
  );
}

interface Own {
  application: string;
  client: OauthClient;
}

/** Clients that get tokens for themselves, those first whose application is subscribed to the API. */
function usable(applications: Application[], api: ApiDetail): Own[] {
  const isSubscribed = ({ subscriptions }: Application) => subscriptions.some((one) => one.api === api.title);
  return [...applications]
    .sort((one, other) => Number(isSubscribed(other)) - Number(isSubscribed(one)))
    .flatMap(({ name, oauthClients }) => oauthClients.map((client) => ({ application: name, client })))
    .filter(({ client }) => client.changeable && client.grantTypes.includes('clientCredentials'));
}

function Fetch({
  api,
  scopes,
  onToken,
}: {
  api: ApiDetail;
  scopes: string[];
  onToken: (token: string) => void;
}) {
  const { p, number } = usePortalTexts();
  const applications = useQuery(applicationsQuery);
  const [chosen, setChosen] = useState<string | null>(null);
  const own = usable(applications.data ?? [], api);
  const one = own.find(({ client }) => client.id === chosen) ?? own[0];
  const fetching = useMutation({
    mutationFn: ({ application, client }: Own) => {
      const may = scopes.filter((scope) => client.scopes.includes(scope));
      return fetchToken(application, client.id, may.join(' '));
    },
    onSuccess: ({ accessToken }) => onToken(accessToken),
  });
  if (applications.data === undefined) return null;
  if (one === undefined) {
    return (
      <Text size="sm" c="dimmed">
        {p('try.noClient')}{' '}
        <Anchor inherit underline="always" renderRoot={(props) => <Link to="/applications" {...props} />}>
          {p('nav.applications')}
        </Anchor>
      </Text>
    );
  }
  return (
    <>
      <Group align="flex-end" gap="sm">
        {own.length > 1 && (
          <Select
            flex="1 1 200px"
            label={p('try.client')}
            value={one.client.id}
            onChange={setChosen}
            allowDeselect={false}
            data={own.map(({ application, client }) => ({
              value: client.id,
              label: `${application}: ${client.name ?? client.id.slice(0, 8)}`,
            }))}
          />
        )}
        <Button
          variant="default"
          leftSection={<IconTicket size={17} />}
          loading={fetching.isPending}
          onClick={() => fetching.mutate(one)}
        >
          {p('try.getToken')}
        </Button>
      </Group>
      {fetching.isError && <ProblemBox error={fetching.error} />}
      {fetching.isSuccess && (
        <Text size="sm" c="dimmed" role="status">
          {p('try.gotToken', {
            application: fetching.variables.application,
            minutes: number(Math.ceil(fetching.data.expiresIn / 60)),
          })}
        </Text>
      )}
    </>
  );
}
