/** The rates as files. */
import { Button, Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import type { Rates } from "~/pages/queue/parts/rates";
import { metrics } from "~/strings/metrics";
import { csv, minuteRows, queueRow, typeRows } from "./rows";

export function Downloads({ rates, minutes }: { rates: Rates[]; minutes: number }) {
  const text = metrics.downloads;
  const save = (name: string, type: string, content: string) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = `asynqpy-${name}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
  };
  const saveTable = (name: string, rows: Parameters<typeof csv>[0]) => save(`${name}.csv`, "text/csv", csv(rows));
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="sm" variant="default" leftSection={<IconDownload size={16} />} disabled={rates.length === 0}>
          {metrics.download}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => saveTable("queues", rates.map(queueRow))}>{text.queues}</Menu.Item>
        <Menu.Item onClick={() => saveTable("types", typeRows(rates))}>{text.types}</Menu.Item>
        <Menu.Item onClick={() => saveTable("minutes", minuteRows(rates))}>{text.minutes}</Menu.Item>
        <Menu.Item
          onClick={() =>
            save("rates.json", "application/json", JSON.stringify({ at: new Date(), minutes, rates }, null, 2))
          }
        >
          {text.all}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
