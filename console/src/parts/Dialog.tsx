/** Dialogs: what is common to those that ask something, and the one that asks whether something may be done. */
import { Button, Group, Modal, type ModalProps, Stack } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { FormEvent, ReactNode } from 'react';
import { useTexts } from '../i18n';
import { ProblemBox } from './ProblemBox';

interface DialogProps extends Omit<ModalProps, 'opened' | 'closeButtonProps' | 'onSubmit'> {
  /** The dialog is a form that does this. */
  onSubmit?: () => void;
}

/** A dialog that is open as long as it is there. */
export function Dialog({ children, onSubmit, ...props }: DialogProps) {
  const { t } = useTexts();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit?.();
  };
  return (
    <Modal opened closeButtonProps={{ 'aria-label': t('close') }} {...props}>
      {onSubmit === undefined ? (
        <Stack>{children}</Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>{children}</Stack>
        </form>
      )}
    </Modal>
  );
}

interface EndProps {
  /** What the dialog is for, on its button. */
  action: string;
  running: { isPending: boolean; isError: boolean; error: unknown };
  /** Without it, the button submits the form that it is in. */
  onAct?: () => void;
  onClose: () => void;
  color?: string;
  disabled?: boolean;
}

/** How a dialog ends: what went wrong, the way back, and the way on. */
export function DialogEnd({ action, running, onAct, onClose, color, disabled }: EndProps) {
  const { t } = useTexts();
  return (
    <>
      {running.isError && <ProblemBox error={running.error} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {t('back')}
        </Button>
        <Button
          type={onAct === undefined ? 'submit' : 'button'}
          color={color}
          onClick={onAct}
          loading={running.isPending}
          disabled={disabled}
        >
          {action}
        </Button>
      </Group>
    </>
  );
}

interface ConfirmProps<T> {
  title: string;
  /** What it means. */
  children: ReactNode;
  action: string;
  does: () => Promise<T>;
  /** After it was done; the dialog closes by itself. */
  onDone: (result: T) => void | Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is taken away. */
export function Confirm<T>({ title, children, action, does, onDone, onClose }: ConfirmProps<T>) {
  const run = useMutation({
    mutationFn: does,
    onSuccess: (result) => {
      onClose();
      return onDone(result);
    },
  });
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <DialogEnd action={action} color="red" running={run} onAct={() => run.mutate()} onClose={onClose} />
    </Dialog>
  );
}
