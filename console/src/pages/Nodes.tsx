/** Nodes that share a store: what each serves, and how far it is behind. */
import { Badge, Box, Group, Table, Text, Title } from '@mantine/core';
import type { NodeView } from '../api/gateway';
import { useTexts } from '../i18n';

export function Nodes({ nodes, newest }: { nodes: NodeView[]; newest: number }) {
  const { t, ago, time, number } = useTexts();
  return (
    <Box className="gw-panel" p="lg">
      <Title order={2}>{t('status.nodes')}</Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('status.nodes.about')}
      </Text>
      <Table.ScrollContainer minWidth={640} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table verticalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('status.node')}</Table.Th>
              <Table.Th>{t('status.state')}</Table.Th>
              <Table.Th>{t('revision')}</Table.Th>
              <Table.Th>{t('status.version')}</Table.Th>
              <Table.Th>{t('status.started')}</Table.Th>
              <Table.Th>{t('status.seen')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {nodes.map((node) => (
              <Table.Tr key={node.id}>
                <Table.Td>
                  <Group gap={6}>
                    <Text fw={600} size="sm">
                      {node.name}
                    </Text>
                    {node.own && (
                      <Badge size="sm" variant="light" tt="none">
                        {t('status.own')}
                      </Badge>
                    )}
                  </Group>
                  <Text size="xs" c="dimmed" className="gw-mono">
                    {node.address}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <State node={node} newest={newest} />
                </Table.Td>
                <Table.Td>{number(node.revision)}</Table.Td>
                <Table.Td>{node.version}</Table.Td>
                <Table.Td title={time(node.startedAt)}>{ago(node.startedAt)}</Table.Td>
                <Table.Td title={time(node.seenAt)}>{ago(node.seenAt)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Box>
  );
}

function State({ node, newest }: { node: NodeView; newest: number }) {
  const { t, count } = useTexts();
  const behind = newest - node.revision;
  const refused = node.refused != null && node.refused > node.revision ? node.refused : undefined;
  const [colour, text] = !node.live
    ? ['red', t('status.gone')]
    : behind > 0
      ? ['orange', count('status.behind', behind)]
      : ['green', t('status.current')];
  return (
    <>
      <Badge variant="dot" color={colour} tt="none">
        {text}
      </Badge>
      {refused !== undefined && (
        <Text size="xs" className="gw-bad">
          {t('status.refusedRevision', { revision: refused, problem: node.problem ?? '' })}
        </Text>
      )}
    </>
  );
}
