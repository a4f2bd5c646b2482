import { ActionIcon } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useCopy } from "~/lib/clipboard";
import { common } from "~/strings/common";
import { hinted } from "./hints";

/** Copies *value*; *label* says what it is, for those who cannot see where the button stands. */
export function CopyButton({ value, label }: { value: string; label: string }) {
  const { isCopied, copy } = useCopy();
  return (
    <ActionIcon
      {...hinted(isCopied ? common.copied : `${common.copy} ${label}`)}
      variant="subtle"
      color={isCopied ? "teal" : "gray"}
      size="sm"
      aria-label={`${common.copy} ${label}`}
      onClick={(event) => {
        event.stopPropagation();
        event.preventDefault();
        copy(value);
      }}
    >
      {isCopied ? <IconCheck size={14} /> : <IconCopy size={14} />}
    </ActionIcon>
  );
}
