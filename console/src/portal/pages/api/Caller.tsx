/** Calls an operation through the gateway with one's own key or token, and shows the same call in six languages. */
import {
  Alert,
  Anchor,
  Badge,
  Box,
  Button,
  Collapse,
  Group,
  PasswordInput,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTexts } from '../../../i18n';
import { ProblemBox } from '../../../parts/ProblemBox';
import { type ApiDetail, type Tried, tryApi } from '../../api/portal';
import { callOf, key, missing } from '../../definition/call';
import type { Definition, Endpoint } from '../../definition/read';
import { suggested } from '../../definition/suggested';
import { tokensOf } from '../../definition/tokens';
import { usePortalTexts } from '../../i18n';
import { apiPath, Link } from '../../links';
import { baseUrl, keyHeaders, tokenHeaders } from '../../parts/address';
import { Samples } from '../../parts/Samples';
import { useLook, useUser } from '../../visitor';
import { keep, kept, type Kept } from './kept';
import classes from './Reference.module.css';
import { TokenField } from './TokenField';

interface Props {
  api: ApiDetail;
  definition: Definition;
  endpoint: Endpoint;
}

export function Caller({ api, definition, endpoint }: Props) {
  const { p } = usePortalTexts();
  const look = useLook();
  const user = useUser();
  const [filled, setFilled] = useState(() => suggested(definition, endpoint));
  const ofKey: Kept = { what: 'key', user, api: api.title };
  const ofToken: Kept = { what: 'token', user, api: api.title };
  const [apiKey, setApiKey] = useState(() => kept(ofKey));
  const [token, setToken] = useState(() => kept(ofToken));
  const tokens = tokensOf(definition, endpoint);
  const call = callOf(endpoint, filled);
  const gaps = missing(endpoint, filled);
  const send = useMutation({
    mutationFn: () => {
      const headers = [
        ...(apiKey.trim() === '' ? [] : keyHeaders(api, apiKey.trim())),
        ...(tokens === undefined || token.trim() === '' ? [] : tokenHeaders(token.trim())),
        ...call.headers,
      ];
      const { method, path, body } = call;
      const request = { api: api.name, method, path, headers: Object.fromEntries(headers) };
      return tryApi(body === undefined ? request : { ...request, body });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (gaps.length === 0) send.mutate();
  };
  const sample = {
    ...call,
    url: baseUrl(look, api) + call.path,
    // Key and token do not stand in samples: they are copied to places where neither belongs.
    headers: [...keyHeaders(api), ...(tokens === undefined ? [] : tokenHeaders()), ...call.headers],
  };
  return (
    <Stack gap="xl">
      <Samples sample={sample} />
      {look.tryIt && (
        <Box className="gw-panel" p="lg" component="section" aria-label={p('try.title')}>
          <Title order={3} fz="1.05rem" mb={4}>
            {p('try.title')}
          </Title>
          {user === undefined ? (
            <Text c="dimmed">
              <Anchor
                underline="always"
                renderRoot={(props) => (
                  <Link to="/login" search={{ to: `${apiPath(api.name)}?tab=reference` }} {...props} />
                )}
              >
                {p('login.title')}
              </Anchor>{' '}
              {p('try.signIn')}
            </Text>
          ) : (
            <form onSubmit={submit}>
              <Stack gap="sm">
                <Text size="sm" c="dimmed">
                  {p('try.about')}
                </Text>
                {api.keyHeader != null && (
                  <KeyField api={api} value={apiKey} onChange={(value) => setApiKey(keep(ofKey, value))} />
                )}
                {tokens !== undefined && (
                  <TokenField
                    api={api}
                    tokens={tokens}
                    value={token}
                    onChange={(value) => setToken(keep(ofToken, value))}
                  />
                )}
                {endpoint.parameters
                  .filter((parameter) => parameter.in !== 'cookie')
                  .map((parameter) => {
                    const at = key(parameter.in, parameter.name);
                    return (
                      <TextInput
                        key={at}
                        label={parameter.name}
                        required={parameter.required}
                        withAsterisk={false}
                        description={parameter.required ? undefined : p('try.optional')}
                        value={filled.parameters[at] ?? ''}
                        onChange={(event) =>
                          setFilled({
                            ...filled,
                            parameters: { ...filled.parameters, [at]: event.currentTarget.value },
                          })
                        }
                      />
                    );
                  })}
                {endpoint.body !== undefined && (
                  <Textarea
                    label={p('reference.body')}
                    autosize
                    minRows={4}
                    maxRows={16}
                    spellCheck={false}
                    value={filled.body}
                    onChange={(event) => setFilled({ ...filled, body: event.currentTarget.value })}
                    styles={{
                      input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.84rem' },
                    }}
                  />
                )}
                <Group>
                  <Button
                    type="submit"
                    leftSection={<IconPlayerPlay size={17} />}
                    loading={send.isPending}
                    disabled={gaps.length > 0}
                  >
                    {p('try.send')}
                  </Button>
                  <Text size="sm" className="gw-mono" flex={1} miw={0}>
                    {call.method} {call.path}
                  </Text>
                </Group>
                {send.isError && <ProblemBox error={send.error} />}
                {send.isSuccess && <Result tried={send.data} api={api} takesTokens={tokens !== undefined} />}
              </Stack>
            </form>
          )}
        </Box>
      )}
    </Stack>
  );
}

function KeyField({
  api,
  value,
  onChange,
}: {
  api: ApiDetail;
  value: string;
  onChange: (key: string) => void;
}) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  return (
    <PasswordInput
      label={p('try.key')}
      description={
        <>
          {p('try.keyHelp')}{' '}
          <Anchor inherit underline="always" renderRoot={(props) => <Link to="/applications" {...props} />}>
            {p('nav.applications')}
          </Anchor>
        </>
      }
      placeholder={api.keyHeader ?? ''}
      autoComplete="off"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
    />
  );
}

interface ResultProps {
  tried: Tried;
  api: ApiDetail;
  takesTokens: boolean;
}

function Result({ tried, api, takesTokens }: ResultProps) {
  const { p, number } = usePortalTexts();
  const [opened, setOpened] = useState(false);
  const good = tried.status < 400;
  return (
    <section aria-label={p('try.answer')} role="status">
      <Group gap="sm" mb="xs">
        <Badge color={good ? 'green' : 'red'} variant="light" size="lg">
          {tried.status}
        </Badge>
        <Text size="sm" c="dimmed">
          {p('try.took', { millis: number(tried.millis) })}
        </Text>
        <Button size="compact-xs" variant="subtle" aria-expanded={opened} onClick={() => setOpened(!opened)}>
          {p('try.headers')}
        </Button>
      </Group>
      {(tried.status === 401 || tried.status === 403) && <Hint api={api} takesTokens={takesTokens} />}
      <Collapse expanded={opened}>
        <pre className={classes.answer} tabIndex={0} style={{ marginBottom: 10 }}>
          {tried.headers.map(([name, value]) => `${name}: ${value}`).join('\n')}
        </pre>
      </Collapse>
      <pre className={classes.answer} tabIndex={0} aria-label={p('try.answer')}>
        {tried.body === '' ? p('try.empty') : tried.base64 ? p('try.binary') : pretty(tried.body)}
      </pre>
      {tried.truncated && (
        <Text size="sm" c="dimmed" mt={4}>
          {p('try.truncated')}
        </Text>
      )}
    </section>
  );
}

function Hint({ api, takesTokens }: Omit<ResultProps, 'tried'>) {
  const { p } = usePortalTexts();
  const hints = [
    ...(takesTokens ? [p('try.hint.token')] : []),
    ...(api.keyHeader == null ? [] : [p('try.hint.key')]),
    ...(api.plans.length === 0 ? [] : [p('try.hint.plan')]),
  ];
  if (hints.length === 0) return null;
  return (
    <Alert variant="light" color="yellow" mb="xs">
      {hints.join(' ')}
    </Alert>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
