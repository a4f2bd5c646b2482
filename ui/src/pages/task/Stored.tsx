/** A task as it lies in Redis, byte for byte: for what nothing else can show. */
import { Alert, Badge, Code, ScrollArea, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { Failed, Loading } from "~/components/Notice";
import { bytes, count } from "~/lib/format";
import { fromBase64, hexDump } from "~/lib/hex";
import { stored as words } from "~/strings/stored";

export function Stored({ queue, taskId }: { queue: string; taskId: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["task", queue, taskId, "stored"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v2/queues/{queue}/tasks/{task_id}/stored", {
          params: { path: { queue, task_id: taskId } },
          signal,
        }),
      ),
  });
  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!data) return <Loading />;
  const message = fromBase64(data.message_base64);
  return (
    <Stack gap="lg">
      {data.error && (
        <Alert color="orange" title={words.unreadable}>
          {data.error}
        </Alert>
      )}
      {data.unknown_fields.length > 0 && (
        <section>
          <Heading title={words.unknown} hint={words.unknownHint} />
          <Table.ScrollContainer minWidth={320}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th w={100}>{words.number}</Table.Th>
                  <Table.Th>{words.value}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.unknown_fields.map((field) => (
                  <Table.Tr key={`${field.number} ${field.value}`}>
                    <Table.Td>{field.number}</Table.Td>
                    <Table.Td className="mono">{field.value}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </section>
      )}
      <section>
        <Heading title={words.fields} hint={words.fieldsHint} />
        <Table.ScrollContainer minWidth={480}>
          <Table layout="fixed">
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={180}>{words.field}</Table.Th>
                <Table.Th>{words.value}</Table.Th>
                <Table.Th w={100} ta="right">
                  {words.size}
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.fields.map((field) => (
                <Table.Tr key={field.name}>
                  <Table.Td className="mono" style={{ overflowWrap: "anywhere" }}>
                    {field.name}
                  </Table.Td>
                  <Table.Td className="mono" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
                    {field.text}{" "}
                    {!field.is_text && (
                      <Badge size="xs" variant="light" color="gray" tt="none">
                        Base64
                      </Badge>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{bytes(field.size)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </section>
      <section>
        <Heading title={words.message} hint={words.messageHint} />
        {data.message_size > message.length && (
          <Text size="sm" c="dimmed">
            {words.cut(count(message.length), `${count(data.message_size)} B`)}
          </Text>
        )}
        <ScrollArea.Autosize mah={420} type="auto">
          <Code block tabIndex={0}>
            {hexDump(message)}
          </Code>
        </ScrollArea.Autosize>
      </section>
    </Stack>
  );
}

function Heading({ title, hint }: { title: string; hint: string }) {
  return (
    <>
      <Title order={2} size="h5">
        {title}
      </Title>
      <Text size="sm" c="dimmed" mb="xs">
        {hint}
      </Text>
    </>
  );
}
