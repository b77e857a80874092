/** Logging in and out, passwords, access tokens. */
import { queryOptions } from '@tanstack/react-query';
import { client, setCsrf, wanted } from './client';
import { setConnection } from './connection';
import { Problem } from './problem';
import type { components } from './schema';

export type Session = components['schemas']['SessionView'];
export type MadeToken = components['schemas']['MadeToken'];
export type Token = components['schemas']['TokenView'];

function taken(session: Session): Session {
  setCsrf(session.csrf);
  setConnection({ expired: false });
  return session;
}

/** Who is logged in, `null` for nobody. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Session | null> => {
    try {
      return taken(await wanted(client.GET('/session')));
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
});

/** How a provider elsewhere is talked to. */
type Protocol = 'oidc' | 'saml';

/** Providers elsewhere with which one can log in. */
export const providersQuery = queryOptions({
  queryKey: ['session', 'providers'],
  queryFn: async () => {
    const [oidc, saml] = await Promise.all([
      wanted(client.GET('/login/oidc')),
      wanted(client.GET('/login/saml')),
    ]);
    const by = (protocol: Protocol) => (provider: (typeof oidc.items)[number]) => ({ ...provider, protocol });
    return [...oidc.items.map(by('oidc')), ...saml.items.map(by('saml'))];
  },
  staleTime: Number.POSITIVE_INFINITY,
});

/** Where a browser begins a login with a provider, to come back to a page. */
export function providerLogin(protocol: Protocol, name: string, to: string): string {
  return `/api/v1/login/${protocol}/${encodeURIComponent(name)}?to=${encodeURIComponent(to)}`;
}

/** Whether users who have forgotten their password get a new one by e-mail. */
export const passwordResetQuery = queryOptions({
  queryKey: ['session', 'passwordReset'],
  queryFn: async () => (await wanted(client.GET('/passwordReset'))).on,
  staleTime: Number.POSITIVE_INFINITY,
});

/** Has a link sent, if there is such a user with an address. */
export async function askForPasswordReset(user: string): Promise<void> {
  await wanted(client.POST('/passwordReset', { body: { user } }));
}

export async function resetPassword(token: string, password: string): Promise<void> {
  await wanted(client.PUT('/passwordReset', { body: { token, password } }));
}

/** The code is that of a second factor, for who has one. */
export async function logIn(user: string, password: string, code?: string): Promise<Session> {
  const body = code === undefined ? { user, password } : { user, password, code };
  return taken(await wanted(client.POST('/session', { body })));
}

export async function logOut(): Promise<void> {
  await wanted(client.DELETE('/session'));
  setCsrf('');
}

export interface NewPassword {
  password: string;
  /** The one that it is now, for one's own. */
  current?: string | undefined;
  /** It has to be changed at the next login. */
  temporary: boolean;
}

export async function setPassword(
  user: string,
  { password, current, temporary }: NewPassword,
): Promise<void> {
  const body = { password, temporary, ...(current === undefined ? {} : { current }) };
  await wanted(client.PUT('/users/{name}/password', { params: { path: { name: user } }, body }));
}

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: async (): Promise<Token[]> => (await wanted(client.GET('/tokens'))).items,
});

export async function createToken(name: string, expiresIn: string | undefined): Promise<MadeToken> {
  const body = expiresIn === undefined ? { name } : { name, expiresIn };
  return wanted(client.POST('/tokens', { body }));
}

export async function deleteToken(id: string): Promise<void> {
  await wanted(client.DELETE('/tokens/{id}', { params: { path: { id } } }));
}

export type LockedAccount = components['schemas']['LockedAccount'];

/** Names with which nobody can log in for a while. */
export const lockedQuery = queryOptions({
  queryKey: ['lockedAccounts'],
  queryFn: async () => (await wanted(client.GET('/lockedAccounts'))).items,
});

export async function unlock(name: string): Promise<void> {
  await wanted(client.DELETE('/lockedAccounts/{name}', { params: { path: { name } } }));
}

export type SecondFactor = components['schemas']['SecondFactorView'];
export type NewSecondFactor = components['schemas']['NewSecondFactor'];

/** One's own second factor. */
export const secondFactorQuery = queryOptions({
  queryKey: ['secondFactor'],
  queryFn: (): Promise<SecondFactor> => wanted(client.GET('/secondFactor')),
});

export async function beginSecondFactor(): Promise<NewSecondFactor> {
  return wanted(client.POST('/secondFactor'));
}

/** The recovery codes. */
export async function confirmSecondFactor(code: string): Promise<string[]> {
  return (await wanted(client.PUT('/secondFactor', { body: { code } }))).recoveryCodes;
}

export async function turnOffSecondFactor(password: string, code: string): Promise<void> {
  await wanted(client.POST('/secondFactor/off', { body: { password, code } }));
}

/** Users who have a second factor. */
export const secondFactorsQuery = queryOptions({
  queryKey: ['secondFactors'],
  queryFn: async () => (await wanted(client.GET('/secondFactors'))).items,
});

export async function resetSecondFactor(name: string): Promise<void> {
  await wanted(client.DELETE('/users/{name}/secondFactor', { params: { path: { name } } }));
}
