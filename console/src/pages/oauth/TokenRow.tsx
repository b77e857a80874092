/** One token in the list, and what can be revoked from here: it, or all of whoever has it. */
import { ActionIcon, Anchor, Badge, Box, Button, Group, Menu, Text } from '@mantine/core';
import { IconDots } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type OauthToken, type Owner, oauthTokensKey, revokeOauthTokens } from '../../api/oauthTokens';
import { Confirm } from '../../parts/Dialog';
import rows from '../../parts/rows.module.css';
import { useToast } from '../../parts/Toasts';
import { stateOf } from './state';
import { useTokenTexts } from './texts';

const COLOURS = { live: 'green', used: 'gray', expired: 'gray', revoked: 'red' };

/** What is about to be revoked. */
interface Wanted {
  owner: Owner;
  title: string;
}

export function TokenRow({ token }: { token: OauthToken }) {
  const { p, many, ago, time } = useTokenTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const { application, client, user, scope, issuedAt, expiresAt } = token;
  const state = stateOf(token, Date.now());
  const one: Wanted = { owner: { id: token.id }, title: p('revoke.one', { name: application }) };
  const all: Wanted[] = [
    { owner: { application }, title: p('all.application', { name: application }) },
    { owner: { client }, title: p('all.client', { name: client }) },
    ...(user == null ? [] : [{ owner: { user }, title: p('all.user', { name: user }) }]),
  ];
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Group gap="xs">
          <Anchor
            fw={620}
            renderRoot={(props) => (
              <Link
                to="/assets/$list/of/$name"
                params={{ list: 'applications', name: application }}
                {...props}
              />
            )}
          >
            {application}
          </Anchor>
          <Badge variant="light" color={COLOURS[state]} tt="none">
            {p(`state.${state}`)}
          </Badge>
        </Group>
        <Text size="sm">
          {p(token.kind === 'refresh' ? 'kind.refresh' : 'kind.access')} · {p('client')}{' '}
          <span className="gw-mono">{client}</span>
          {user != null && ` · ${p('user')} ${user}`}
        </Text>
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          <span title={time(issuedAt)}>{p('issued', { when: ago(issuedAt) })}</span>
          {state === 'live' && expiresAt != null && (
            <span title={time(expiresAt)}> · {p('expires', { when: ago(expiresAt) })}</span>
          )}
          {scope !== '' && <> · {scope}</>}
        </Text>
      </Box>
      <Group gap="xs">
        {state === 'live' && (
          <Button
            size="xs"
            variant="default"
            onClick={() => setWanted(one)}
            aria-label={p('revoke.one', { name: application })}
          >
            {p('revoke')}
          </Button>
        )}
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={30}
              aria-label={p('moreFor', { name: application })}
            >
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {all.map((several) => (
              <Menu.Item key={several.title} onClick={() => setWanted(several)}>
                {several.title}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      </Group>
      {wanted !== null && (
        <Confirm
          title={wanted.title}
          action={p('revoke')}
          does={() => revokeOauthTokens(wanted.owner)}
          onDone={(revoked) => {
            toast(many('revoke.done', revoked));
            return queries.invalidateQueries(oauthTokensKey);
          }}
          onClose={() => setWanted(null)}
        >
          <Text>{'id' in wanted.owner ? p('revoke.text', { name: application }) : p('revoke.allText')}</Text>
        </Confirm>
      )}
    </li>
  );
}
