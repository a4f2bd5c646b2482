import { MantineProvider, Table } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { FindTable } from "./DataTable";

const observers: IntersectionObserverCallback[] = [];

beforeEach(() => {
  observers.length = 0;
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(callback: IntersectionObserverCallback) {
        observers.push(callback);
      }
      observe() {}
      disconnect() {}
    },
  );
});

function show(rows: number, open?: string) {
  render(
    <MantineProvider>
      <FindTable label="list" find="Find" none="none" columns={[]} sort="" search={{}} change={() => {}} open={open}>
        {Array.from({ length: rows }, (_, i) => `row-${i}`).map((name) => (
          <Table.Tr key={name} data-testid="row" />
        ))}
      </FindTable>
    </MantineProvider>,
  );
}
const drawn = () => screen.queryAllByTestId("row").length;

test("draws few rows at first, and more when somebody asks", async () => {
  show(100);
  expect(drawn()).toBe(40);
  await userEvent.click(screen.getByRole("button", { name: "Show more, 60 left" }));
  expect(drawn()).toBe(80);
  await userEvent.click(screen.getByRole("button", { name: "Show more, 20 left" }));
  expect(drawn()).toBe(100);
  expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull();
});

test("draws all of a short list", () => {
  show(40);
  expect(drawn()).toBe(40);
  expect(screen.queryByRole("button", { name: /Show more/ })).toBeNull();
});

test("draws up to the row that is open", () => {
  show(100, "row-70");
  expect(drawn()).toBe(71);
});
