/** Sets a password, one's own or another user's. */
import { setPassword } from '../api/session';
import { NewPasswordForm } from './NewPasswordForm';

interface Props {
  user: string;
  /** Whoever changes their own password says the one that they have. */
  own: boolean;
  done: () => void;
}

export function PasswordForm({ user, own, done }: Props) {
  const save = (password: string, current: string) =>
    setPassword(user, { password, current: own ? current : undefined, temporary: !own });
  return <NewPasswordForm user={user} own={own} save={save} done={done} />;
}
