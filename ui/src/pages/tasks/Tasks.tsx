import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Tasks() {
  return <PageHeader title={shell.nav.tasks} />;
}
