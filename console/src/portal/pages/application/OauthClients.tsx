/** OAuth clients of an application: made, told their secret once, exchanged with an overlap, deleted. */
import { Badge, Box, Button, Collapse, Group, Stack, Text, Title } from '@mantine/core';
import { IconLockAccess, IconPlus, IconRefresh, IconTerminal2, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { CommandLine } from '../../../parts/CommandLine';
import { Confirm } from '../../../parts/Dialog';
import { useToast } from '../../../parts/Toasts';
import { type Application, deleteOauthClient, type OauthClient, type Offered } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { NewOauthClient, NewSecret } from './NewOauthClient';
import rows from './rows.module.css';
import { curlLine } from './token';

const MOST = 5;

type Doing = { what: 'create' } | { what: 'rotate' | 'delete'; client: OauthClient };

interface Props {
  application: Application;
  /** Missing where consumers make no more clients. */
  offered: Offered | undefined;
}

export function OauthClients({ application, offered }: Props) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [doing, setDoing] = useState<Doing | null>(null);
  const { name, oauthClients: clients } = application;
  const create = offered !== undefined && offered.grantTypes.length > 0 && (
    <Button
      leftSection={<IconPlus size={17} />}
      variant="default"
      disabled={clients.length >= MOST}
      onClick={() => setDoing({ what: 'create' })}
    >
      {p('oauth.create')}
    </Button>
  );
  const close = () => setDoing(null);
  return (
    <section aria-label={p('oauth.title')}>
      <Group justify="space-between" mb="md">
        <div>
          <Title order={2}>{p('oauth.title')}</Title>
          <Text c="dimmed">{p(clients.length >= MOST ? 'oauth.full' : 'oauth.about')}</Text>
        </div>
        {clients.length > 0 && create}
      </Group>
      {clients.length === 0 ? (
        <Box className={rows.list ?? ''} p="xl">
          <Group>
            <IconLockAccess size={26} stroke={1.6} aria-hidden />
            <Box className={rows.grow ?? ''}>
              <Text fw={620}>{p('oauth.none.title')}</Text>
              <Text c="dimmed">{p('oauth.none.text')}</Text>
            </Box>
            {create}
          </Group>
        </Box>
      ) : (
        <ul className={rows.list}>
          {clients.map((client) => (
            <ClientRow
              key={client.id}
              client={client}
              offered={offered}
              onRotate={() => setDoing({ what: 'rotate', client })}
              onDelete={() => setDoing({ what: 'delete', client })}
            />
          ))}
        </ul>
      )}
      {doing?.what === 'create' && offered !== undefined && (
        <NewOauthClient application={name} offered={offered} onClose={close} />
      )}
      {doing?.what === 'rotate' && offered !== undefined && (
        <NewSecret application={name} client={doing.client} offered={offered} onClose={close} />
      )}
      {doing?.what === 'delete' && (
        <Confirm
          title={p('oauth.deleteOne', { client: called(doing.client) })}
          action={p('oauth.delete')}
          does={() => deleteOauthClient(name, doing.client.id)}
          onDone={() => {
            toast(p('oauth.deleted'));
            return queries.invalidateQueries({ queryKey: ['portal', 'applications'] });
          }}
          onClose={close}
        >
          <Text>{p('oauth.deleteText')}</Text>
        </Confirm>
      )}
    </section>
  );
}

function called(client: OauthClient): string {
  return client.name ?? client.id.slice(0, 8);
}

interface RowProps {
  client: OauthClient;
  offered: Offered | undefined;
  onRotate: () => void;
  onDelete: () => void;
}

function ClientRow({ client, offered, onRotate, onDelete }: RowProps) {
  const { p, time } = usePortalTexts();
  const [shown, setShown] = useState(false);
  const ends = client.secrets.flatMap(({ expires }) => (expires == null ? [] : [expires])).sort()[0];
  const getsTokens = offered !== undefined && client.grantTypes.includes('clientCredentials');
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          <Text fw={620}>{called(client)}</Text>
          <Badge variant="light" tt="none" color={client.authentication === 'none' ? 'grape' : 'blue'}>
            {p(client.authentication === 'none' ? 'oauth.public' : kindOf(client))}
          </Badge>
          {ends !== undefined && (
            <Badge color="yellow" variant="light" tt="none">
              {p(client.secrets.length > 1 ? 'oauth.oldEnds' : 'oauth.ends', { at: time(ends) })}
            </Badge>
          )}
        </Group>
        <Text size="sm" c="dimmed">
          {p('oauth.id')}: <span className="gw-mono">{client.id}</span>
        </Text>
        {client.redirectUris.length > 0 && (
          <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {p('oauth.redirectUris')}: {client.redirectUris.join(', ')}
          </Text>
        )}
        {!client.changeable && (
          <Text size="sm" c="dimmed">
            {p('oauth.notChangeable')}
          </Text>
        )}
      </Box>
      <Group gap="xs">
        {getsTokens && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconTerminal2 size={15} />}
            aria-expanded={shown}
            onClick={() => setShown(!shown)}
            aria-label={p('oauth.howOne', { client: called(client) })}
          >
            {p('oauth.how')}
          </Button>
        )}
        {client.changeable && offered !== undefined && client.authentication === 'clientSecret' && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconRefresh size={15} />}
            onClick={onRotate}
            aria-label={p('oauth.rotateOne', { client: called(client) })}
          >
            {p('keys.rotate')}
          </Button>
        )}
        {client.changeable && (
          <Button
            size="xs"
            variant="subtle"
            color="red"
            leftSection={<IconTrash size={15} />}
            onClick={onDelete}
            aria-label={p('oauth.deleteOne', { client: called(client) })}
          >
            {p('oauth.delete')}
          </Button>
        )}
      </Group>
      {getsTokens && (
        <Collapse expanded={shown} flex="1 1 100%" miw={0}>
          <Stack gap="xs">
            <Text size="sm" c="dimmed">
              {p('oauth.tokenUrl')}
            </Text>
            <CommandLine label={p('oauth.tokenUrl')} text={offered.tokenUrl} />
            <Text size="sm" c="dimmed">
              {p('oauth.curl')}
            </Text>
            <CommandLine label={p('oauth.curl')} text={curlLine(client, offered)} />
          </Stack>
        </Collapse>
      )}
    </li>
  );
}

function kindOf({ grantTypes }: OauthClient): 'oauth.service' | 'oauth.users' {
  return grantTypes.includes('authorizationCode') ? 'oauth.users' : 'oauth.service';
}
