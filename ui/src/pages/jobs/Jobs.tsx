import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Jobs() {
  return <PageHeader title={shell.nav.jobs} />;
}
