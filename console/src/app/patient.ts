/** Pages are fetched when they are first seen. Without a connection that waits for one, instead of failing. */
import { setConnection, whenOnline } from '../api/connection';

export function patient<T>(load: () => Promise<T>): () => Promise<T> {
  return () =>
    load().catch(async () => {
      const back = whenOnline();
      setConnection({ online: false });
      await back;
      return load();
    });
}
