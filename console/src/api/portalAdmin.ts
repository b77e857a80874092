/** What administrators of the portal decide. */
import { queryOptions } from '@tanstack/react-query';
import { client, wanted } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Approvals = Schemas['Approvals'];
export type SignUp = Schemas['SignUpView'];
export type Waiting = Schemas['SubscriptionView'];

export const approvalsQuery = queryOptions({
  queryKey: ['approvals'],
  queryFn: (): Promise<Approvals> => wanted(client.GET('/portal/approvals')),
  refetchInterval: 30_000,
});

export interface Decision {
  approve: boolean;
  message?: string;
}

const path = (name: string) => ({ params: { path: { name } } });

export async function decideSignUp(user: string, body: Decision): Promise<void> {
  await wanted(client.POST('/portal/signUps/{name}/decision', { ...path(user), body }));
}

export async function decideSubscription(name: string, body: Decision): Promise<void> {
  await wanted(client.POST('/portal/subscriptions/{name}/decision', { ...path(name), body }));
}
