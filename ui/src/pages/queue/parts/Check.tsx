/** Looks for what no operation of a healthy peer leaves behind, and mends it when told to. */
import { Alert, Button, Group, Modal, Stack, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Failed } from "~/components/Notice";
import { count } from "~/lib/format";
import { common } from "~/strings/common";
import { queueText } from "~/strings/queue";

const MOST_SHOWN = 100;

export function Check({ queue, isOpen, close }: { queue: string; isOpen: boolean; close: () => void }) {
  const look = useMutation({
    mutationFn: (repair: boolean) =>
      answer(api.POST("/api/v2/queues/{queue}/check", { params: { path: { queue }, query: { repair } } })),
  });
  const { reset } = look;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another queue, or opened anew: nothing is known yet
  useEffect(() => reset(), [queue, isOpen, reset]);
  const report = look.data;
  const open = report ? report.orphans.filter((orphan) => !orphan.is_repaired).length : 0;
  return (
    <Modal
      opened={isOpen}
      onClose={close}
      title={queueText.checkTitle(queue)}
      size="lg"
      closeButtonProps={{ "aria-label": common.close }}
    >
      <Stack>
        <Text size="sm">{queueText.checkHint}</Text>
        {look.error && <Failed error={look.error} title={queueText.checkFailed} />}
        {report && <Report report={report} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {common.close}
          </Button>
          <Button
            variant={open > 0 ? "default" : "filled"}
            loading={look.isPending && !look.variables}
            disabled={look.isPending}
            onClick={() => look.mutate(false)}
          >
            {report ? queueText.checkAgain : queueText.checkStart}
          </Button>
          {open > 0 && (
            <Button
              loading={look.isPending && look.variables}
              disabled={look.isPending}
              onClick={() => look.mutate(true)}
            >
              {queueText.repair}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Report({ report }: { report: Schemas["Orphans"] }) {
  const { orphans, scanned, repaired } = report;
  if (orphans.length === 0) {
    return (
      <Alert color="teal" role="status">
        {queueText.clean(scanned)}
      </Alert>
    );
  }
  return (
    <>
      <Alert color={repaired === orphans.length ? "teal" : "orange"} role="status">
        {queueText.found(orphans.length, scanned)} {repaired > 0 && queueText.repaired(repaired)}
      </Alert>
      <Table.ScrollContainer minWidth={420} mah={320}>
        <Table aria-label={queueText.checkTitle(report.queue)} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{queueText.trouble}</Table.Th>
              <Table.Th>{queueText.where}</Table.Th>
              <Table.Th>{queueText.mended}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {orphans.slice(0, MOST_SHOWN).map((orphan) => (
              <Table.Tr key={`${orphan.trouble} ${orphan.state} ${orphan.name}`}>
                <Table.Td>{queueText.troubles[orphan.trouble]}</Table.Td>
                <Table.Td className="mono" style={{ overflowWrap: "anywhere" }}>
                  {orphan.name} {orphan.state && `(${orphan.state})`}
                </Table.Td>
                <Table.Td>{orphan.is_repaired ? queueText.yes : queueText.no}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {orphans.length > MOST_SHOWN && (
        <Text size="xs" c="dimmed">
          {queueText.firstOf(count(MOST_SHOWN))}
        </Text>
      )}
    </>
  );
}
