/** What those who call an API say of it. Comments are shown as text. */
import {
  ActionIcon,
  Anchor,
  Avatar,
  Box,
  Button,
  Group,
  Rating,
  Skeleton,
  Stack,
  Text,
  Textarea,
  Title,
} from '@mantine/core';
import { IconMessage, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Empty } from '../../../parts/Empty';
import { ProblemBox } from '../../../parts/ProblemBox';
import { useToast } from '../../../parts/Toasts';
import { addComment, type ApiDetail, commentsQuery, deleteComment, rate } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { apiPath, Link } from '../../links';
import { useUser } from '../../visitor';

export function Discussion({ api }: { api: ApiDetail }) {
  const { p, ago } = usePortalTexts();
  const queries = useQueryClient();
  const user = useUser();
  const comments = useQuery(commentsQuery(api.name));
  const remove = useMutation({
    mutationFn: deleteComment,
    onSuccess: () => queries.invalidateQueries({ queryKey: commentsQuery(api.name).queryKey }),
  });
  const items = comments.data?.items ?? [];
  return (
    <Stack maw={760} gap="xl">
      {user === undefined ? (
        <Text>
          <Anchor
            underline="always"
            renderRoot={(props) => (
              <Link to="/login" search={{ to: `${apiPath(api.name)}?tab=discussion` }} {...props} />
            )}
          >
            {p('login.title')}
          </Anchor>{' '}
          {p('discussion.signIn')}
        </Text>
      ) : (
        <>
          <OwnRating api={api} />
          <NewComment api={api} />
        </>
      )}
      {comments.isPending && <Skeleton height={120} />}
      {comments.isError && <ProblemBox error={comments.error} retry={() => comments.refetch()} />}
      {remove.isError && <ProblemBox error={remove.error} />}
      {comments.isSuccess && items.length === 0 && (
        <Empty icon={IconMessage} title={p('discussion.none.title')} text={p('discussion.none.text')} />
      )}
      {items.map((comment) => (
        <Group key={comment.id} component="article" wrap="nowrap" align="flex-start" gap="md">
          <Avatar radius="xl" color="gray" variant="filled" aria-hidden>
            {comment.user.slice(0, 1).toUpperCase()}
          </Avatar>
          <Box flex={1} miw={0}>
            <Group gap="xs">
              <Text fw={620}>{comment.user}</Text>
              <Text size="sm" c="dimmed">
                {ago(comment.at)}
              </Text>
            </Group>
            <Text style={{ whiteSpace: 'pre-wrap' }}>{comment.text}</Text>
          </Box>
          {comment.deletable && (
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={p('discussion.delete', { user: comment.user })}
              onClick={() => remove.mutate(comment.id)}
              loading={remove.isPending && remove.variables === comment.id}
            >
              <IconTrash size={17} />
            </ActionIcon>
          )}
        </Group>
      ))}
    </Stack>
  );
}

function OwnRating({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const save = useMutation({
    mutationFn: (stars: number) => rate(api.name, stars),
    onSuccess: async () => {
      toast(p('rating.saved'));
      await queries.invalidateQueries({ queryKey: ['portal', 'apis'] });
    },
  });
  return (
    <section>
      <Title order={2} mb="xs">
        {p('rating.own')}
      </Title>
      <Rating
        size="lg"
        value={save.isPending ? save.variables : (api.rating.own ?? 0)}
        onChange={(stars) => save.mutate(stars)}
        getSymbolLabel={(stars) => p('rating.stars', { stars })}
        aria-label={p('rating.own')}
      />
      {save.isError && <ProblemBox error={save.error} />}
    </section>
  );
}

function NewComment({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const send = useMutation({
    mutationFn: () => addComment(api.name, text),
    onSuccess: async () => {
      setText('');
      await queries.invalidateQueries({ queryKey: commentsQuery(api.name).queryKey });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Textarea
          label={p('discussion.yours')}
          description={p('discussion.help')}
          autosize
          minRows={3}
          maxLength={2_000}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        {send.isError && <ProblemBox error={send.error} />}
        <Group>
          <Button type="submit" loading={send.isPending} disabled={text.trim() === ''}>
            {p('discussion.send')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
