import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Schedules() {
  return <PageHeader title={shell.nav.schedulers} />;
}
