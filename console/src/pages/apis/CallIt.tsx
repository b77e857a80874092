/** Calls an API: what is to be sent, the line for a terminal, and a button that sends it from here. */
import {
  Box,
  Button,
  Group,
  PasswordInput,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useMemo, useState } from 'react';
import { type Asset, definitionQuery } from '../../api/assets';
import { statusQuery } from '../../api/gateway';
import { tryRequest } from '../../api/trial';
import { useTexts } from '../../i18n';
import { CommandLine } from '../../parts/CommandLine';
import { ProblemBox } from '../../parts/ProblemBox';
import { MAY, useMay } from '../../session/session';
import { headersOf } from '../requests/headers';
import { useMaySeeRequests } from '../requests/rights';
import { Answer } from './Answer';
import { curlLine, gatewayOrigin } from './address';
import classes from './CallIt.module.css';
import { addressOf, type Example, exampleOf, type Parameter } from './example';
import { easiest } from './operations';
import { apiSpec, isObject, text } from './spec';
import { useGoverning } from './useGoverning';
import { useOperations } from './useOperations';

/** Methods that an operation may be written with that stands for all of them. */
const ANY = '*';

export function CallIt({ api }: { api: Asset }) {
  const { t } = useTexts();
  const status = useQuery(statusQuery);
  const spec = apiSpec(api);
  const { operations, isPending } = useOperations(api);
  const definition = useQuery({ ...definitionQuery(api.name), enabled: spec.hasDefinition });
  const [chosen, setChosen] = useState<string | null>(null);
  const [credentials, setCredentials] = useState<Credentials>({ key: '', headers: '' });
  const origin = gatewayOrigin(status.data?.listeners ?? [], window.location);
  const keys = [...new Set(operations.map(({ method, path }) => `${method} ${path}`))];
  const first = easiest(operations);
  const current = chosen ?? (first === undefined ? 'GET /' : `${first.method} ${first.path}`);
  const [named = 'GET', path = '/'] = current.split(' ');
  const method = named === ANY ? 'GET' : named;
  const example = useMemo(
    () => exampleOf(definition.data ?? '', method, path),
    [definition.data, method, path],
  );
  return (
    <Box className="gw-panel" p="lg">
      <Group justify="space-between" mb="sm">
        <Title order={2}>{t('api.call')}</Title>
        {keys.length > 1 && (
          <Select
            size="xs"
            aria-label={t('api.callOperation')}
            data={keys}
            value={current}
            onChange={setChosen}
            allowDeselect={false}
            searchable
            w={300}
          />
        )}
      </Group>
      {origin === undefined || isPending ? (
        <Text c="dimmed">{t(status.isPending || isPending ? 'loading' : 'api.noListener')}</Text>
      ) : (
        <Call
          key={`${current} ${definition.dataUpdatedAt}`}
          api={api}
          origin={origin}
          method={method}
          path={path}
          example={example}
          credentials={credentials}
          onCredentials={setCredentials}
        />
      )}
    </Box>
  );
}

/** What is kept while one goes from operation to operation. */
interface Credentials {
  key: string;
  headers: string;
}

interface CallProps {
  api: Asset;
  origin: string;
  method: string;
  path: string;
  example: Example;
  credentials: Credentials;
  onCredentials: (credentials: Credentials) => void;
}

function Call({ api, origin, method, path, example, credentials, onCredentials }: CallProps) {
  const { t } = useTexts();
  const spec = apiSpec(api);
  const may = useMay(MAY.apis);
  const mayAsk = useMaySeeRequests();
  const keyHeader = useKeyHeader(api);
  const [parameters, setParameters] = useState(example.parameters);
  const [body, setBody] = useState(example.body?.text ?? '');
  const [extra, setExtra] = useState(credentials.headers !== '');
  const address = addressOf(path, parameters);
  const hasBody = example.body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method);
  const written: [string, string][] = [
    ...parameters
      .filter((one) => one.in === 'header' && one.value !== '')
      .map((one): [string, string] => [one.name, one.value]),
    ...(hasBody && body !== '' && !/^content-type *:/im.test(credentials.headers)
      ? [['Content-Type', example.body?.type ?? 'application/json'] as [string, string]]
      : []),
    ...headersOf(credentials.headers),
  ];
  const key: [string, string][] =
    keyHeader === undefined || credentials.key === '' ? [] : [[keyHeader, credentials.key]];
  const host = spec.hosts.find((name) => !name.startsWith('*'));
  const sent = useMutation({
    mutationFn: () =>
      tryRequest({
        method,
        url: spec.basePath + address,
        headers: [...(host === undefined ? [] : [['Host', host] as [string, string]]), ...written, ...key],
        body: hasBody ? body : '',
      }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    sent.mutate();
  };
  const set = (at: number, value: string) =>
    setParameters(parameters.map((one, index) => (index === at ? { ...one, value } : one)));
  return (
    <Stack gap="md" component="form" onSubmit={submit}>
      {parameters.length > 0 && (
        <div className={classes.parameters}>
          {parameters.map((one, index) => (
            <ParameterField key={`${one.in} ${one.name}`} of={one} onChange={(value) => set(index, value)} />
          ))}
        </div>
      )}
      {hasBody && (
        <Textarea
          label={t('try.body')}
          value={body}
          onChange={(event) => setBody(event.currentTarget.value)}
          autosize
          minRows={3}
          maxRows={14}
          classNames={{ input: 'gw-mono' }}
          spellCheck={false}
        />
      )}
      {keyHeader !== undefined && (
        <PasswordInput
          label={t('try.key')}
          description={t('try.keyHelp', { header: keyHeader })}
          value={credentials.key}
          onChange={(event) => onCredentials({ ...credentials, key: event.currentTarget.value })}
          autoComplete="off"
          maw={420}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
        />
      )}
      {extra ? (
        <Textarea
          label={t('ask.headers')}
          description={t('ask.headersHelp')}
          placeholder="Authorization: Bearer …"
          value={credentials.headers}
          onChange={(event) => onCredentials({ ...credentials, headers: event.currentTarget.value })}
          autosize
          minRows={2}
          maxRows={8}
          classNames={{ input: 'gw-mono' }}
          spellCheck={false}
        />
      ) : (
        <Box>
          <Button size="compact-sm" variant="subtle" onClick={() => setExtra(true)}>
            {t('try.addHeaders')}
          </Button>
        </Box>
      )}
      <CommandLine
        text={curlLine(origin, spec, method, address, {
          headers: written,
          body: hasBody ? body : '',
          keyHeader,
        })}
        label={t('api.call')}
      />
      <Group justify="space-between">
        <Text size="sm" c="dimmed" flex="1 1 240px">
          {t(may ? 'try.help' : 'api.callHelp')}
        </Text>
        <Group gap="xs">
          {mayAsk && (
            <Button
              variant="default"
              renderRoot={(props) => (
                <Link to="/requests/ask" search={{ method, url: spec.basePath + address }} {...props} />
              )}
            >
              {t('ask.open')}
            </Button>
          )}
          {may && (
            <Button type="submit" leftSection={<IconSend size={16} />} loading={sent.isPending}>
              {t('try.send')}
            </Button>
          )}
        </Group>
      </Group>
      {sent.isError && <ProblemBox error={sent.error} title={t('try.failed')} />}
      {sent.data !== undefined && <Answer of={sent.data} />}
    </Stack>
  );
}

function ParameterField({ of, onChange }: { of: Parameter; onChange: (value: string) => void }) {
  return (
    <TextInput
      label={of.name}
      description={of.description ?? of.in}
      value={of.value}
      onChange={(event) => onChange(event.currentTarget.value)}
      required={of.required}
      withAsterisk={of.required}
      classNames={{ input: 'gw-mono' }}
      spellCheck={false}
    />
  );
}

/** The header that the API takes keys in, when a policy of it asks for one. */
function useKeyHeader(api: Asset): string | undefined {
  const asks = useGoverning(api).find(({ policy }) => policy.type === 'apiKey' && policy.disabled !== true);
  if (asks === undefined) return undefined;
  const config = isObject(asks.policy.config) ? asks.policy.config : {};
  return text(config.header) ?? 'x-Gateway-APIKey';
}
