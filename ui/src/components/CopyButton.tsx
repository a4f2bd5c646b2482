import { ActionIcon, CopyButton as Copies, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { common } from "~/strings/common";

/** Copies *value*; *label* says what it is, for those who cannot see where the button stands. */
export function CopyButton({ value, label }: { value: string; label: string }) {
  return (
    <Copies value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? common.copied : `${common.copy} ${label}`}>
          <ActionIcon
            variant="subtle"
            color={copied ? "teal" : "gray"}
            size="sm"
            aria-label={`${common.copy} ${label}`}
            onClick={(event) => {
              event.stopPropagation();
              event.preventDefault();
              copy();
            }}
          >
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </Copies>
  );
}
