/** A file that is to be the payload: how large, its digest, how it begins. */
import { Button, Group, Input, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { download } from "~/lib/download";
import { bytes as size } from "~/lib/format";
import { task as words } from "~/strings/task";
import { type Draft, digestOf, isWritable } from "./bytes";
import { hexLines } from "./compare";
import { Lines } from "./Lines";
import styles from "./payload.module.css";

const SHOWN = 4096;

export function FileFacts({ file, error }: { file: Draft["file"]; error: ReactNode }) {
  const bytes = file?.bytes;
  const digest = useDigest(bytes);
  const lines = useMemo(() => (bytes ? hexLines(bytes, 0, SHOWN / 16) : []), [bytes]);
  if (!file) {
    return (
      <Input.Wrapper error={error}>
        <Text size="sm">{words.payload.noFile}</Text>
      </Input.Wrapper>
    );
  }
  const label = words.payload.firstBytes(size(Math.min(SHOWN, file.bytes.length)));
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <Input.Wrapper error={error}>
          <Text size="sm">{words.payload.file(file.name, size(file.bytes.length))}</Text>
        </Input.Wrapper>
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          leftSection={<IconDownload size={12} />}
          onClick={() => download(file.name, file.bytes)}
        >
          {words.payload.saveFile}
        </Button>
      </Group>
      {!isWritable(file.bytes, "hex") && (
        <Text size="xs" c="dimmed">
          {words.payload.fileHint}
        </Text>
      )}
      {digest && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {words.payload.digest} <span className="mono">{digest}</span>
        </Text>
      )}
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Lines
        count={lines.length}
        row={(at) => (
          <>
            <span className={styles.gutter} />
            <span className={styles.text}>{lines[at]}</span>
          </>
        )}
        isWrapped={false}
        label={label}
      />
    </Stack>
  );
}

function useDigest(bytes: Uint8Array | undefined): string | undefined {
  const [found, setFound] = useState<{ of: Uint8Array; digest: string }>();
  useEffect(() => {
    let isWanted = true;
    if (bytes) void digestOf(bytes).then((digest) => isWanted && setFound({ of: bytes, digest }));
    return () => {
      isWanted = false;
    };
  }, [bytes]);
  return found && found.of === bytes ? found.digest : undefined;
}
