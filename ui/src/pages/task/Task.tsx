import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Task() {
  return <PageHeader title={shell.nav.tasks} />;
}
