/** What a page shows instead of data: nothing there, still loading, or an error with a way on. */
import { Alert, Button, Center, Code, Group, Skeleton, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import { IconAlertTriangle, IconInbox } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { ApiError } from "~/api/client";
import { common } from "~/strings/common";

/** Nothing is there; *children* say what would put something there. */
export function Empty({ title, children, icon }: { title: string; children?: ReactNode; icon?: ReactNode }) {
  return (
    <Center py={48} px="md">
      <Stack align="center" gap="xs" maw={480} ta="center">
        <ThemeIcon size={48} radius="xl" variant="light" color="gray">
          {icon ?? <IconInbox size={26} />}
        </ThemeIcon>
        <Title order={2} size="h4">
          {title}
        </Title>
        {children && (
          <Text c="dimmed" size="sm" component="div">
            {children}
          </Text>
        )}
      </Stack>
    </Center>
  );
}

/** An error, with what the server said and a button to try again. */
export function Failed({ error, again, title }: { error: unknown; again?: () => void; title?: string }) {
  const text = error instanceof Error ? error.message : String(error);
  const isUnreachable = error instanceof ApiError && error.status === 0;
  return (
    <Alert color="red" icon={<IconAlertTriangle />} title={title ?? common.errorTitle} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{isUnreachable ? common.unreachable : text}</Text>
        {error instanceof ApiError && error.status > 0 && (
          <Code>
            {error.status} {error.code}
          </Code>
        )}
        {again && (
          <Button size="xs" variant="light" color="red" onClick={again}>
            {common.retry}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Lines that stand for what is being loaded. */
export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label={common.loading} py="sm">
      {Array.from({ length: lines }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Group key={i} gap="md" wrap="nowrap">
          <Skeleton height={14} width={`${18 + ((i * 37) % 22)}%`} />
          <Skeleton height={14} />
        </Group>
      ))}
    </Stack>
  );
}
