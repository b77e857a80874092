/** Short messages that something was done. They are read out, and go by themselves. */
import { Notification, Stack } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { createContext, type ReactNode, useCallback, useContext, useState } from 'react';
import { useTexts } from '../i18n';
import classes from './Toasts.module.css';

const LASTS = 5_000;

const ToastContext = createContext<(text: string) => void>(() => {});

/** Shows a message that something was done. */
export function useToast(): (text: string) => void {
  return useContext(ToastContext);
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useTexts();
  const [toasts, setToasts] = useState<{ id: number; text: string }[]>([]);
  const close = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const show = useCallback(
    (text: string) => {
      const id = Date.now() + Math.random();
      setToasts((all) => [...all.slice(-2), { id, text }]);
      window.setTimeout(() => close(id), LASTS);
    },
    [close],
  );
  return (
    <ToastContext value={show}>
      {children}
      <Stack className={classes.toasts ?? ''} gap="xs" role="status" aria-live="polite">
        {toasts.map(({ id, text }) => (
          <Notification
            key={id}
            icon={<IconCheck size={18} />}
            color="teal"
            withBorder
            onClose={() => close(id)}
            closeButtonProps={{ 'aria-label': t('close') }}
          >
            {text}
          </Notification>
        ))}
      </Stack>
    </ToastContext>
  );
}
