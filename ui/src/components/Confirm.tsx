/** Asks before something that is hard to undo; the more it takes, the more must be typed. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from "react";
import { common } from "~/strings/common";

export interface Question {
  title: string;
  body: ReactNode;
  /** What the button says: the verb. */
  yes: string;
  /** Red, for what cannot be undone. */
  isDangerous?: boolean;
  /** A word that must be typed first, for what takes a lot. */
  word?: string;
}

const Asking = createContext<(question: Question) => Promise<boolean>>(() => Promise.resolve(false));

/** A function that asks and tells whether the answer was yes. */
export const useConfirm = () => useContext(Asking);

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<Question>();
  const [isOpen, setIsOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const settle = useRef<(answer: boolean) => void>(() => {});

  const ask = useCallback((asked: Question) => {
    settle.current(false);
    setTyped("");
    setQuestion(asked);
    setIsOpen(true);
    return new Promise<boolean>((resolve) => {
      settle.current = resolve;
    });
  }, []);

  const end = (answer: boolean) => {
    settle.current(answer);
    setIsOpen(false);
  };
  const isReady = !question?.word || typed === question.word;

  return (
    <Asking value={ask}>
      {children}
      <Modal
        opened={isOpen}
        onClose={() => end(false)}
        title={question?.title}
        closeButtonProps={{ "aria-label": common.close }}
        centered
      >
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (isReady) end(true);
          }}
        >
          <Stack>
            <Text size="sm" component="div">
              {question?.body}
            </Text>
            {question?.word && (
              <TextInput
                label={`Type ${question.word} to go on`}
                value={typed}
                onChange={(event) => setTyped(event.currentTarget.value)}
                data-autofocus
                autoComplete="off"
              />
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => end(false)}>
                {common.cancel}
              </Button>
              <Button
                type="submit"
                color={question?.isDangerous ? "red" : undefined}
                disabled={!isReady}
                data-autofocus={!question?.word}
              >
                {question?.yes}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Asking>
  );
}
