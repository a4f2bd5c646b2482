import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Metrics() {
  return <PageHeader title={shell.nav.metrics} />;
}
