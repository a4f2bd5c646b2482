/** The top of a queue's page: its heading, numbers, who serves it and what can be done to it. It has the page's `PageHeader`. */
import { PageHeader } from "~/components/PageHeader";
import { command } from "~/lib/cli";
import { shell } from "~/strings/shell";

export interface QueueBannerProps {
  /** The queue's name. */
  name: string;
}

export default function QueueBanner({ name }: QueueBannerProps) {
  return (
    <PageHeader
      title={name}
      crumbs={[{ text: shell.nav.overview, to: "/" }]}
      cli={[command("queue", "inspect", name)]}
    />
  );
}
