import { MantineProvider } from "@mantine/core";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { MultiSelect, Select } from "./selects";

const options = () => screen.queryAllByRole("option", { hidden: true }).map((each) => each.textContent);

test("makes its options when somebody comes near, and names their list when it opens", async () => {
  const choose = vi.fn();
  render(
    <MantineProvider>
      <Select aria-label="state" data={["retry", "archived"]} value="retry" onChange={choose} />
    </MantineProvider>,
  );
  const box = screen.getByRole("combobox", { name: "state" });
  expect(box).toHaveValue("retry");
  expect(options()).toEqual([]);
  await userEvent.hover(box);
  expect(options()).toEqual(["retry", "archived"]);
  await userEvent.click(box);
  expect(document.getElementById(box.getAttribute("aria-controls") ?? "")).toHaveAttribute("role", "listbox");
  await userEvent.click(screen.getByRole("option", { name: "archived", hidden: true }));
  expect(choose).toHaveBeenCalledWith("archived", expect.anything());
});

test("the keyboard comes near too, where the list opens at once", async () => {
  render(
    <MantineProvider>
      <MultiSelect aria-label="queues" data={["low", "high"]} value={["low"]} onChange={() => {}} searchable />
    </MantineProvider>,
  );
  expect(options()).toEqual([]);
  await userEvent.tab();
  const box = screen.getByRole("combobox", { name: "queues" });
  expect(box).toHaveFocus();
  expect(options()).toEqual(["low", "high"]);
  await waitFor(() => expect(box).toHaveAttribute("aria-controls"));
  expect(document.getElementById(box.getAttribute("aria-controls") ?? "")).toHaveAttribute("role", "listbox");
});
