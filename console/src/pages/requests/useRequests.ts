/** The latest requests, and those that end from now on. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { followRequests, listRequests, type RequestEvent, type RequestFilter } from '../../api/gateway';

/** Requests that are kept on the page at most. */
const MOST = 1_000;
const AGAIN = 2_000;

export type Live = 'connecting' | 'live' | 'paused';

export function useRequests(filter: RequestFilter, paused: boolean) {
  const key = JSON.stringify(filter);
  const [arrived, setArrived] = useState<{ key: string; events: RequestEvent[] }>({ key, events: [] });
  const [live, setLive] = useState<Live>('connecting');

  const stored = useInfiniteQuery({
    queryKey: ['gateway', 'requests', key],
    queryFn: ({ pageParam, signal }) => listRequests(JSON.parse(key) as RequestFilter, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: 0,
  });
  const { refetch } = stored;

  useEffect(() => {
    if (paused) {
      setLive('paused');
      return;
    }
    const stop = new AbortController();
    let timer: number | undefined;
    const follow = () => {
      setLive('connecting');
      const opened = () => {
        setLive('live');
        // What ended before the stream was open.
        void refetch();
      };
      const seen = (events: RequestEvent[]) =>
        setArrived((before) => ({
          key,
          events: [...events.toReversed(), ...(before.key === key ? before.events : [])].slice(0, MOST),
        }));
      followRequests(JSON.parse(key) as RequestFilter, stop.signal, opened, seen)
        .catch(() => {})
        .finally(() => {
          if (!stop.signal.aborted) timer = window.setTimeout(follow, AGAIN);
        });
    };
    follow();
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [key, paused, refetch]);

  const fresh = arrived.key === key ? arrived.events : [];
  const known = new Set<string>();
  const events = [...fresh, ...(stored.data?.pages.flatMap((page) => page.events) ?? [])].filter((event) => {
    if (known.has(event.correlationID)) return false;
    known.add(event.correlationID);
    return true;
  });
  return { ...stored, events, live };
}
