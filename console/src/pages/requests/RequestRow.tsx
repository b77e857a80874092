import { Badge, Group, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { RequestEvent } from '../../api/gateway';
import { useTexts } from '../../i18n';
import { Method } from '../../parts/Method';
import classes from './RequestRow.module.css';

export function StatusCode({ status }: { status: number }) {
  const colour = status >= 500 ? 'red' : status >= 400 ? 'orange' : status >= 300 ? 'blue' : 'green';
  return (
    <Badge color={colour} variant="light" radius="sm" miw={48}>
      {status === 0 ? '–' : status}
    </Badge>
  );
}

export function RequestRow({ event }: { event: RequestEvent }) {
  const { number, time } = useTexts();
  const at = new Date(event.creationDate);
  return (
    <Link to="/requests/$id" params={{ id: event.correlationID }} className={classes.row}>
      <StatusCode status={event.responseCode} />
      <Method method={event.httpMethod} />
      <div className={classes.path}>
        <Text className="gw-mono" truncate>
          {event.requestPath}
          {event.queryParameters && `?${event.queryParameters}`}
        </Text>
        <Group gap="xs">
          <Text size="xs" c="dimmed">
            {event.apiName ? `${event.apiName} ${event.apiVersion}` : '–'}
          </Text>
          {event.reasonCode && (
            <Text size="xs" className="gw-bad gw-mono">
              {event.reasonCode}
            </Text>
          )}
        </Group>
      </div>
      <Text size="sm" c="dimmed" className={classes.app ?? ''} truncate>
        {event.applicationName === 'unknown' ? event.applicationIp : event.applicationName}
      </Text>
      <Text size="sm" ta="right" className={classes.took ?? ''}>
        {number(event.totalTime)} ms
      </Text>
      <Text size="sm" c="dimmed" ta="right" title={time(event.creationDate)} className={classes.at ?? ''}>
        {at.toLocaleTimeString(undefined, { hour12: false })}
      </Text>
    </Link>
  );
}
