/** What an API offers, operation by operation: what it takes, what it answers, how it is called. */
import { Badge, Box, Group, SegmentedControl, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconRouteOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Empty } from '../../../parts/Empty';
import { Method } from '../../../parts/Method';
import { ProblemBox } from '../../../parts/ProblemBox';
import { type ApiDetail, portalDefinitionQuery } from '../../api/portal';
import { type Definition, type Endpoint, readDefinition } from '../../definition/read';
import { usePortalTexts } from '../../i18n';
import { apiPath, Link, useAddress } from '../../links';
import { grouped } from '../../parts/grouped';
import { LazyMarkdown } from '../../parts/LazyMarkdown';
import type { ApiSearch } from '../../router';
import { Caller } from './Caller';
import classes from './Reference.module.css';
import { Fields, SchemaFields } from './SchemaFields';

const Viewer = lazy(() => import('../../../pages/apis/DefinitionViewer'));

export default function Reference({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const { search } = useAddress<object, ApiSearch>();
  const [shown, setShown] = useState('operations');
  const source = useQuery(portalDefinitionQuery(api.name));
  const definition = useMemo(() => readDefinition(source.data ?? ''), [source.data]);
  if (source.isPending) return <Skeleton height={360} />;
  if (source.isError) return <ProblemBox error={source.error} retry={() => source.refetch()} />;
  if (definition === undefined || definition.endpoints.length === 0) {
    return <Empty icon={IconRouteOff} title={p('reference.none.title')} text={p('reference.none.text')} />;
  }
  const endpoint = definition.endpoints.find(({ id }) => id === search.at) ?? definition.endpoints[0];
  return (
    <>
      <SegmentedControl
        mb="lg"
        value={shown}
        onChange={setShown}
        aria-label={p('reference.how')}
        data={[
          { value: 'operations', label: p('reference.operations') },
          { value: 'whole', label: p('reference.whole') },
        ]}
      />
      {shown === 'whole' ? (
        <Box className="gw-panel" style={{ overflow: 'hidden' }}>
          <Suspense fallback={<Skeleton height={400} />}>
            <Viewer document={source.data} />
          </Suspense>
        </Box>
      ) : (
        <div className={classes.columns}>
          <Contents api={api} endpoints={definition.endpoints} current={endpoint} />
          {endpoint !== undefined && (
            <Operation key={endpoint.id} api={api} definition={definition} endpoint={endpoint} />
          )}
        </div>
      )}
    </>
  );
}

interface ContentsProps {
  api: ApiDetail;
  endpoints: Endpoint[];
  current: Endpoint | undefined;
}

function Contents({ api, endpoints, current }: ContentsProps) {
  const { p } = usePortalTexts();
  const groups = grouped(endpoints, ({ tag }) => tag ?? '');
  return (
    <nav className={classes.side} aria-label={p('reference.operations')}>
      {groups.map(([tag, members]) => (
        <Box key={tag} mb="md">
          {tag !== '' && (
            <Text size="sm" fw={650} px={10} mb={4}>
              {tag}
            </Text>
          )}
          {members.map((endpoint) => (
            <Link
              key={endpoint.id}
              to={apiPath(api.name)}
              search={{ tab: 'reference', at: endpoint.id }}
              className={classes.entry}
              aria-current={endpoint === current ? 'page' : undefined}
            >
              <span className={`${classes.verb} ${classes[endpoint.method] ?? ''}`}>{endpoint.method}</span>
              <span>{endpoint.summary ?? endpoint.path}</span>
            </Link>
          ))}
        </Box>
      ))}
    </nav>
  );
}

interface OperationProps {
  api: ApiDetail;
  definition: Definition;
  endpoint: Endpoint;
}

const PLACES = ['path', 'query', 'header', 'cookie'] as const;

function Operation({ api, definition, endpoint }: OperationProps) {
  const { p } = usePortalTexts();
  const { body, answers } = endpoint;
  return (
    <article className={classes.operation}>
      <Stack gap="xl" miw={0}>
        <div>
          <Group gap="sm">
            <Title order={2}>{endpoint.summary ?? endpoint.operationId ?? endpoint.path}</Title>
            {endpoint.deprecated && (
              <Badge color="orange" variant="light" tt="none">
                {p('reference.deprecated')}
              </Badge>
            )}
          </Group>
          <Group gap="sm" mt="xs" wrap="nowrap">
            <Method method={endpoint.method} />
            <span className="gw-mono">{endpoint.path}</span>
          </Group>
          {endpoint.description !== undefined && (
            <Box mt="md">
              <LazyMarkdown text={endpoint.description} />
            </Box>
          )}
        </div>
        {PLACES.map((place) => {
          const own = endpoint.parameters.filter((parameter) => parameter.in === place);
          if (own.length === 0) return null;
          return (
            <section key={place}>
              <Title order={3} fz="1rem" mb="xs">
                {p(`reference.${place}`)}
              </Title>
              <Fields document={definition.document} fields={own} />
            </section>
          );
        })}
        {body !== undefined && (
          <section>
            <Title order={3} fz="1rem" mb="xs">
              {p('reference.body')}{' '}
              <Text span size="sm" c="dimmed">
                {body.mediaType}
              </Text>
            </Title>
            <SchemaFields document={definition.document} schema={body.schema} />
          </section>
        )}
        {answers.length > 0 && (
          <section>
            <Title order={3} fz="1rem" mb="xs">
              {p('reference.answers')}
            </Title>
            <ul className={classes.fields}>
              {answers.map(({ status, description, schema }) => (
                <li key={status}>
                  <span className={classes.name}>{status}</span>{' '}
                  <Text span size="sm">
                    {description}
                  </Text>
                  {schema !== undefined && <SchemaFields document={definition.document} schema={schema} />}
                </li>
              ))}
            </ul>
          </section>
        )}
      </Stack>
      <div className={classes.aside}>
        <Caller api={api} definition={definition} endpoint={endpoint} />
      </div>
    </article>
  );
}
