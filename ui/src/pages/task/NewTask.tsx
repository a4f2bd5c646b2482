import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function NewTask() {
  return <PageHeader title={shell.nav.tasks} />;
}
