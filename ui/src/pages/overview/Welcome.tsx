/** What a new Redis is met with: how to enqueue a first task. */
import { Anchor, Button, Code, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { address } from "~/api/client";
import { CopyButton } from "~/components/CopyButton";
import { FIRST_TASK, FIRST_WORKER, overview, RUN_WORKER } from "~/strings/overview";

export function Welcome({ mayEnqueue }: { mayEnqueue: boolean }) {
  const text = overview.welcome;
  return (
    <Paper withBorder p="lg" maw={720} mx="auto" mt="xl">
      <Stack gap="sm">
        <Title order={2} size="h4">
          {text.title}
        </Title>
        <Text size="sm">{text.text}</Text>
        <Snippet code={FIRST_TASK} />
        <Text size="sm">{text.next}</Text>
        <Snippet code={FIRST_WORKER} />
        <Snippet code={RUN_WORKER} />
        {mayEnqueue && (
          <div>
            <Button
              variant="light"
              leftSection={<IconPlus size={16} />}
              renderRoot={(props) => <Link to="/new-task" {...props} />}
            >
              {text.form}
            </Button>
          </div>
        )}
        <Text size="sm" c="dimmed">
          {text.docs}{" "}
          <Anchor size="sm" underline="always" href={address`/api/v2/openapi.json`}>
            {text.api}
          </Anchor>
          .
        </Text>
      </Stack>
    </Paper>
  );
}

function Snippet({ code }: { code: string }) {
  return (
    <Group gap="xs" wrap="nowrap" align="flex-start">
      <Code block style={{ flex: 1, minWidth: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {code}
      </Code>
      <CopyButton value={code} label={overview.welcome.copy} />
    </Group>
  );
}
