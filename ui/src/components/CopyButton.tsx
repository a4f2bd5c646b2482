import { ActionIcon, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useCopy } from "~/lib/clipboard";
import { common } from "~/strings/common";

/** Copies *value*; *label* says what it is, for those who cannot see where the button stands. */
export function CopyButton({ value, label }: { value: string; label: string }) {
  const { isCopied, copy } = useCopy();
  return (
    <Tooltip label={isCopied ? common.copied : `${common.copy} ${label}`}>
      <ActionIcon
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
    </Tooltip>
  );
}
